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

    private(set) var tree: Tree
    /// The store's count of changes when the transaction began.
    let start: UInt64
    /// What it has looked at and changed.
    private(set) var footprint = Footprint()
    /// Set when a node could not be noted: then nothing can tell whether a commit is right.
    private(set) var isUnverifiable = false
    /// What oxenstored's engine keeps of it besides. Nil with C xenstored's.
    let log: ReplayLog?

    init(tree: Tree, log: ReplayLog? = nil) {
        self.tree = tree.snapshot()
        self.log = log
        start = tree.changeCount
    }

    /// Makes a change in the transaction's tree.
    func apply(_ change: Change, clock: inout GenerationClock) {
        footprint.noteChange(change)
        tree.apply(change, clock: &clock)
    }

    /// Makes a node of its tree and those above it others than they were; they hold the same.
    func touch(_ path: StorePath) { tree.touch(path) }

    // MARK: What it looks at

    /// The places from the root to a path, which are made where they are missing.
    func trail(to path: StorePath) -> [Int] { footprint.trail(to: path) }

    /// The place of a name below another, which is made if it is missing.
    func place(named name: String, below parent: Int) -> Int {
        footprint.place(named: name, below: parent)
    }

    /// Notes the first access to a node of its tree.
    func noteAccess(_ place: Int, _ node: Node?) { footprint.noteAccess(place, node) }

    /// Notes that watches of a node are to hear of it at the end.
    func noteEvent(_ place: Int, _ scope: EventScope) { footprint.noteEvent(place, scope) }

    /// Gives up noting what it looks at: it cannot be committed any more.
    func loseTrack() { isUnverifiable = true }
}
