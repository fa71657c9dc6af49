import XenstoreProtocol

/// A key that the kernel knows of, or that leads to one it knows of.
///
/// Holds what watches keep true (shape, permissions), never a value: those are asked for. There is
/// one for each key that the kernel knows, so each byte counts here.
final class KeyNode {
    let id: UInt64
    /// Of the root, the path that the mount shows as its root, and nothing for the store's own.
    private(set) var name: String
    /// Nil for the root, and for a key that was removed or replaced under an open handle.
    private(set) var parent: KeyNode?

    /// References that the kernel holds on each view.
    var fileLookups: UInt64 = 0
    var directoryLookups: UInt64 = 0
    // Beside each other, as they leave no gap: a node takes 144 bytes of the heap.
    var modified: Timestamp
    /// Known children: they need this node for their paths.
    var childCount: UInt32 = 0
    /// Open files on it.
    var handleCount: UInt32 = 0
    /// Open files that are to make the key at their first write.
    var creatorCount: UInt32 = 0

    /// What the watch keeps true since it was asked; nil where it is to be asked again.
    var permissions: Permissions?
    /// Whether the key has children; nil where it is to be asked again.
    var hasChildren: Bool?
    /// What the kernel was told last that the plain name is.
    var shownView: View?
    /// What the key was made as, or was last: that is what it stays when it is empty. Nil where
    /// this mount has not seen it otherwise.
    var viewWhenEmpty: View?
    /// Whether this mount made it as a directory, or took a child from it: it stays one while the
    /// kernel knows it, even with a value and no children. A program that makes or takes a tree
    /// apart would lose it under its hands otherwise.
    var isKeptDirectory = false
    /// Who made it as a directory through this mount, until it has a value. To that program alone
    /// `.value` is not there before it is written: one that copies a tree makes each file of it
    /// anew (O_EXCL).
    var maker: CallerID?
    /// Whether the kernel knows that what it knows of the key is stale, and has not looked since.
    var wasToldStale = false
    /// Whether the key was last seen to have a value.
    var hasValue = false
    var isVerifying = false
    /// Whether the kernel knows the directory by the poker alone: nobody can watch it.
    private(set) var isOfPokerAlone = false
    /// What the kernel may keep of it by itself, with `cache=watch`.
    var lease: Lease?
    /// What those who watch the directory were told of its children; nil where that is not known.
    var announced: ChildRecords?

    init(id: UInt64, name: String, parent: KeyNode?, modified: Timestamp) {
        self.id = id
        self.name = name
        self.parent = parent
        self.modified = modified
    }

    var isRoot: Bool { id == 0 }

    /// Whether it has lost its place in the tree.
    var isDetached: Bool { parent == nil && !isRoot }

    /// Whether anybody still needs it.
    var isInUse: Bool {
        isRoot || fileLookups > 0 || directoryLookups > 0 || childCount > 0 || handleCount > 0
    }

    func inode(_ view: View) -> InodeNumber {
        // The root's value cannot have the number 0, which the kernel reserves.
        if isRoot { return InodeNumber(rawValue: view == .directory ? 1 : 2) }
        return InodeNumber(rawValue: id << 1 | (view == .directory ? 1 : 0))
    }

    /// Takes over what is remembered of a key, but for what the kernel knows of it.
    func takeMemory(of other: KeyNode) {
        viewWhenEmpty = other.viewWhenEmpty
        isKeptDirectory = other.isKeptDirectory
        maker = other.maker
        hasValue = other.hasValue
        modified = other.modified
    }

    /// Forgets what a change may have made untrue.
    func forgetFacts() {
        permissions = nil
        hasChildren = nil
    }

    func move(to parent: KeyNode?, name: String) {
        self.parent = parent
        self.name = name
    }

    /// The kernel gets to know a view for a program.
    func addLookup(_ view: View) {
        add(view)
        guard view == .directory, isOfPokerAlone else { return }
        isOfPokerAlone = false
        // Nobody has kept it up to date.
        announced = nil
    }

    /// The kernel gets to know a view for the poker.
    func addLookupOfPoker(_ view: View) {
        if view == .directory, directoryLookups == 0 { isOfPokerAlone = true }
        add(view)
    }

    private func add(_ view: View) {
        switch view {
        case .file: fileLookups += 1
        case .directory: directoryLookups += 1
        }
    }

    func removeLookups(_ count: UInt64, _ view: View) {
        switch view {
        case .file: fileLookups -= min(count, fileLookups)
        case .directory:
            directoryLookups -= min(count, directoryLookups)
            // From now on nobody keeps it up to date.
            if directoryLookups == 0 { announced = nil }
        }
    }

    func lookups(_ view: View) -> UInt64 {
        switch view {
        case .file: fileLookups
        case .directory: directoryLookups
        }
    }
}
