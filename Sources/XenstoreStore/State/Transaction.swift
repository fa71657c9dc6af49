import XenstoreProtocol

/// An open transaction: a tree of its own that began as the store's, and what is needed to tell
/// at its end whether it can become the store's.
final class Transaction {
    /// A change, all checks passed.
    enum Change {
        /// A node, and so many of those above it that it and they are `levels`, the value for the
        /// last.
        case create(StorePath, levels: Int, value: [UInt8], permissions: Permissions)
        case setValue(StorePath, [UInt8])
        case setPermissions(StorePath, Permissions)
        case remove(StorePath)
    }

    var tree: Tree
    /// The store's count of changes when the transaction began.
    let start: UInt64
    /// What it has looked at and changed.
    var footprint = Footprint()
    /// Set when a node could not be noted: then nothing can tell whether a commit is right.
    var isUnverifiable = false
    /// What oxenstored keeps of it instead.
    var log: ReplayLog?

    init(tree: Tree) {
        self.tree = tree.snapshot()
        start = tree.changeCount
    }

    /// Makes a change in the transaction's tree.
    func apply(_ change: Change, clock: inout GenerationClock) {
        footprint.noteChange(change)
        tree.apply(change, clock: &clock)
    }
}

extension Tree {
    mutating func apply(_ change: Transaction.Change, clock: inout GenerationClock) {
        switch change {
        case .create(let path, let levels, let value, let permissions):
            create(path, levels: levels, value: value, permissions: permissions, clock: &clock)
        case .setValue(let path, let value):
            setValue(value, at: path, clock: &clock)
        case .setPermissions(let path, let permissions):
            setPermissions(permissions, at: path, clock: &clock)
        case .remove(let path):
            remove(path, clock: &clock)
        }
    }

    /// Makes the changes of a transaction that began at an earlier state, `new` being its nodes at
    /// the places of its footprint. Each place is reached from the one above it, once.
    mutating func merge(
        _ outcome: Footprint.Outcome,
        of footprint: Footprint,
        _ new: [Node?],
        clock: inout GenerationClock
    ) {
        var nodes = uniqueNodes(at: footprint)
        func node(at place: Int) -> Node {
            guard let node = nodes[place] else { preconditionFailure("changes a missing node") }
            return node
        }
        for place in outcome.removed {
            let parent = node(at: footprint.places[place].parent)
            removeChild(footprint.places[place].name, of: parent, clock: &clock)
        }
        for place in outcome.created {
            guard let made = new[place] else { preconditionFailure("makes a missing node") }
            nodes[place] = addChild(
                footprint.places[place].name,
                to: node(at: footprint.places[place].parent),
                value: made.value,
                permissions: made.permissions,
                clock: &clock
            )
        }
        for place in outcome.kept {
            guard let made = new[place] else { preconditionFailure("changes a missing node") }
            let kept = node(at: place)
            replace(kept, value: made.value, permissions: made.permissions, clock: &clock)
        }
    }
}
