import XenstoreProtocol

/// An open transaction: a tree of its own that began as the store's, and what is needed to tell
/// at its end whether it can become the store's.
final class Transaction {
    /// A node that the transaction read or changed.
    struct Accessed {
        let path: StorePath
        /// The stamp that it had; nil if there was none. A commit needs it to be the same still.
        let generation: UInt64?
        /// Whoever could read it by these learns of its change.
        let permissions: Permissions?
        /// Which watches learn of its change; nil if it did not change.
        var event: EventScope?
    }

    /// A change that was made, all checks passed: what a commit makes again.
    enum Change {
        case create(StorePath, value: [UInt8], permissions: Permissions)
        case setValue(StorePath, [UInt8])
        case setPermissions(StorePath, Permissions)
        case remove(StorePath)
    }

    var tree: Tree
    /// The store's count of changes when the transaction began.
    let start: UInt64
    /// In the order of the first access, which is also that of the events.
    private(set) var accessed: [Accessed] = []
    private(set) var changes: [Change] = []
    /// Set when a node could not be noted: then nothing can tell whether a commit is right.
    var isUnverifiable = false
    /// What oxenstored keeps of it instead.
    var log: ReplayLog?
    private var indexByPath: [StorePath: Int] = [:]

    init(tree: Tree) {
        self.tree = tree.snapshot()
        start = tree.changeCount
    }

    func hasAccessed(_ path: StorePath) -> Bool { indexByPath[path] != nil }

    /// The first access to a node, if it came after another one.
    func accessed(_ path: StorePath, after index: Int) -> Accessed? {
        guard let found = indexByPath[path], found > index else { return nil }
        return accessed[found]
    }

    /// Notes the first access to a node.
    func note(_ path: StorePath, _ node: Node?) {
        guard indexByPath[path] == nil else { return }
        indexByPath[path] = accessed.count
        accessed.append(
            Accessed(path: path, generation: node?.generation, permissions: node?.permissions)
        )
    }

    /// Notes that watches of a node are to hear of it. The wider scope stays.
    func noteEvent(_ path: StorePath, _ scope: EventScope) {
        guard let index = indexByPath[path] else {
            preconditionFailure("a change in a transaction without an access")
        }
        if accessed[index].event != .subtree { accessed[index].event = scope }
    }

    /// Makes a change in the transaction's tree.
    func apply(_ change: Change, clock: inout GenerationClock) {
        changes.append(change)
        tree.apply(change, clock: &clock)
    }

    /// Whether all that was accessed is in `tree` as it was when it was accessed.
    func isValid(in tree: Tree) -> Bool {
        accessed.allSatisfy { tree.node(at: $0.path)?.generation == $0.generation }
    }
}

extension Tree {
    mutating func apply(_ change: Transaction.Change, clock: inout GenerationClock) {
        switch change {
        case .create(let path, let value, let permissions):
            create(path, value: value, permissions: permissions, clock: &clock)
        case .setValue(let path, let value):
            setValue(value, at: path, clock: &clock)
        case .setPermissions(let path, let permissions):
            setPermissions(permissions, at: path, clock: &clock)
        case .remove(let path):
            remove(path, clock: &clock)
        }
    }
}
