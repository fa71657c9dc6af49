import XenstoreProtocol

/// What a file or directory that is opened is to the kernel's cache.
public enum Caching: Hashable, Sendable {
    /// Each read asks the filesystem.
    case none
    /// The kernel drops what it has, and keeps what it reads.
    case fresh
    /// What the kernel has is true.
    case kept
}

/// What the kernel may keep by itself, and what makes it drop that.
///
/// This one is that of a strict mount: the kernel keeps names alone, and asks for all else.
/// ``LeasingKernelCache`` lets it keep more.
class KernelCache {
    /// Leases that were given and taken back.
    struct Metrics {
        var granted = 0
        var revoked = 0
    }

    let environment: FilesystemEnvironment
    let changes: ChangeLog
    let keys: KeyTable
    /// What the kernel does again for threads.
    let retries: CallerRetries
    /// The sizes that the kernel takes with the agent's calls.
    let sizes = InjectedSize()

    init(of keys: KeyTable, _ changes: ChangeLog, _ environment: FilesystemEnvironment) {
        self.keys = keys
        self.changes = changes
        self.environment = environment
        retries = CallerRetries(environment)
    }

    /// The cache that a mount's options ask for.
    static func make(
        _ cache: FilesystemOptions.Cache,
        of keys: KeyTable,
        _ changes: ChangeLog,
        _ environment: FilesystemEnvironment
    ) -> KernelCache {
        switch cache {
        case .strict: KernelCache(of: keys, changes, environment)
        case .watch: LeasingKernelCache(of: keys, changes, environment)
        }
    }

    // MARK: Names

    /// How long the kernel may keep a name: for ever where a watch will tell, not at all where a
    /// change came while the answer was on its way.
    ///
    /// - Returns: seconds.
    final func nameLifetime(_ path: XenstorePath, asOf version: ChangeLog.Version) -> Double {
        changes.mayKeep(path, asOf: version) ? FilesystemLimits.nameLifetimeSeconds : 0
    }

    /// Makes the kernel look the plain name of a key up again.
    final func invalidateEntry(of node: KeyNode, _ reason: InvalidationReason) {
        guard let parent = node.parent else { return }
        environment.invalidate(.entry(directory: parent.inode(.directory), name: node.name), reason)
    }

    /// Makes the kernel look a name up again by which a directory has a key.
    final func invalidateEntry(
        _ name: String,
        in directory: KeyNode,
        _ reason: InvalidationReason
    ) {
        environment.invalidate(.entry(directory: directory.inode(.directory), name: name), reason)
    }

    /// Whether the kernel has still to forget the plain name of a key.
    final func isInvalidatingEntry(of node: KeyNode) -> Bool {
        guard let parent = node.parent else { return false }
        return environment.isInvalidating(
            .entry(directory: parent.inode(.directory), name: node.name)
        )
    }

    // MARK: Leases, of which a strict mount has none

    var metrics: Metrics { Metrics() }

    /// Whether the kernel may keep anything beside names.
    var isLeasing: Bool { false }

    /// A thread makes a system call, and so has the answer to the one before.
    func acknowledge(_ caller: CallerID) {}

    /// Lets the kernel keep attributes that a system call of `caller` is answered with.
    ///
    /// - Parameters:
    ///   - inode: which the kernel asked about. No other is invalidated later.
    ///   - version: of the moment at which the store was asked.
    func lease(
        _ attributes: Attributes,
        of node: KeyNode,
        askedFor inode: InodeNumber,
        asOf version: ChangeLog.Version,
        to caller: CallerID
    ) -> Attributes { attributes }

    /// Lets the kernel keep a listing of a directory, as of ``KeyStat/version``.
    ///
    /// - Returns: on what it does; nil where it does not.
    func leaseListing(of node: KeyNode, asOf version: ChangeLog.Version) -> ListingLease? { nil }

    /// Something has changed: the kernel keeps nothing of a key any more.
    func revoke(_ node: KeyNode, _ reason: InvalidationReason = .changed) {}

    /// The kernel is given another size of a file than it keeps.
    func revoke(_ node: KeyNode, unlessOfSize size: Int) {}

    /// Something has changed at a place, or where `andBelow` all below it may be gone: the kernel
    /// keeps nothing that it may have changed.
    func revoke(_ place: KeyPlace, andBelow isSubtree: Bool, _ reason: InvalidationReason) {}

    /// A system call has changed what is in memory alone, and what other names of the key show.
    func revokeInMemory(_ node: KeyNode) {}

    /// A local change was made at a path. ``barrier()`` waits for what follows.
    func revokeOwn(_ path: XenstorePath, andBelow isSubtree: Bool) {}

    /// Waits, when a local change was made, until the kernel has dropped what that has made untrue.
    func barrier() async {}

    /// Calls back when a program that asks the kernel sees what has changed so far.
    func afterInvalidations(_ action: @escaping () -> Void) { action() }

    /// The content of a key changes, or a program empties it to write it again.
    func noteModified(_ node: KeyNode) {}

    /// Whether a file may be opened to be read by way of the kernel's cache.
    func mayOpen(_ node: KeyNode) -> Bool { false }

    /// Whether the kernel has the content of a file as it is.
    func keepsContent(of node: KeyNode) -> Bool { false }

    /// What is read of a file under the lease that the kernel has goes to its cache, if it is of
    /// the size that the kernel knows.
    ///
    /// - Returns: whether it is.
    func keep(
        contentOf node: KeyNode,
        _ path: XenstorePath,
        size: Int,
        asOf version: ChangeLog.Version,
        readBy caller: CallerID
    ) -> Bool { false }

    /// What the kernel has of a directory's names; nil where it has none that are true.
    func keptListing(of node: KeyNode) -> ListingLease? { nil }

    /// Whether the kernel still has the names of a directory by this lease.
    func keeps(_ lease: ListingLease, of node: KeyNode) -> Bool { false }

    /// The inotify agent changes a file, and the kernel takes a size with it: until the agent has
    /// come back the kernel may keep nothing more of it.
    ///
    /// - Returns: the size by which the kernel answers by itself; nil where it does not.
    func beginInjection(into node: KeyNode) -> Int? { nil }

    /// The agent has come back from all of its calls.
    func endInjections() {}
}
