import XenstoreProtocol

/// What the kernel may keep by itself with `cache=watch`: attributes, listings and contents, until
/// an event of the watch takes them back.
///
/// A lease begins when attributes are granted, and covers what is read under them. The kernel cuts
/// what it reads at the size that it knows, so that content goes out only under a lease of its very
/// size: half of a value is seen only where a thread sleeps between the two.
final class LeasingKernelCache: KernelCache {
    /// The leases that were granted last to threads which have not acknowledged them: they have
    /// made no call since.
    private var unacknowledged: [CallerID: Lease] = [:]
    private var counts = Metrics()
    /// When keys were last changed of which the kernel kept the content, by their numbers.
    private var recentlyModified: [UInt64: Duration] = [:]
    /// Keys of which no lease is given at this moment, by the number of reasons.
    private var suspended: [UInt64: Int] = [:]
    /// Those that the agent's calls are about.
    private var injecting: [KeyNode] = []
    /// How often the kernel was made to drop what a local change has made untrue, and up to which
    /// it has.
    private var localInvalidations = (made: 0, done: 0)

    override var metrics: Metrics { counts }

    // Without a watch nobody could take anything back.
    override var isLeasing: Bool { changes.isWatching }

    // MARK: Granting

    override func acknowledge(_ caller: CallerID) {
        if !unacknowledged.isEmpty { unacknowledged.removeValue(forKey: caller)?.acknowledge() }
    }

    override func lease(
        _ attributes: Attributes,
        of node: KeyNode,
        askedFor inode: InodeNumber,
        asOf version: ChangeLog.Version,
        to caller: CallerID
    ) -> Attributes {
        // One of a key that was made again under an open file is not invalidated when that changes.
        guard attributes.inode == inode, node.deferredCreateCount == 0, suspended[node.id] == nil,
            let path = try? node.path(), changes.mayKeep(path, asOf: version)
        else { return attributes }
        // oxenstored tells nobody of a change of its root itself: its value is asked for each time.
        guard attributes.kind == .directory || !path.isRoot else { return attributes }
        if node.cached.lease == nil { counts.granted += 1 }
        let lease = node.cached.lease ?? Lease()
        node.cached.lease = lease
        if attributes.kind == .file {
            lease.grant(attributes.size, to: caller, at: environment.elapsed())
            if unacknowledged.count >= FilesystemLimits.threadStats { unacknowledged = [:] }
            unacknowledged[caller] = lease
        }
        var attributes = attributes
        attributes.lifetime =
            path.isRoot
            ? FilesystemLimits.rootLifetimeSeconds : FilesystemLimits.nameLifetimeSeconds
        return attributes
    }

    override func leaseListing(
        of node: KeyNode,
        asOf version: ChangeLog.Version
    ) -> ListingLease? {
        // The root's own value is in it.
        guard let path = try? node.path(), !path.isRoot, changes.mayKeep(path, asOf: version)
        else { return nil }
        let lease = node.cached.lease ?? Lease()
        node.cached.lease = lease
        lease.keepsListing = true
        return ListingLease(lease)
    }

    override func keptListing(of node: KeyNode) -> ListingLease? {
        guard isLeasing, let lease = node.cached.lease, lease.keepsListing else { return nil }
        return ListingLease(lease)
    }

    override func keeps(_ listing: ListingLease, of node: KeyNode) -> Bool {
        listing.lease === node.cached.lease
    }

    // MARK: Revoking

    override func revoke(_ node: KeyNode, _ reason: InvalidationReason = .changed) {
        guard let lease = node.cached.lease else { return }
        counts.revoked += 1
        if lease.size != nil { noteModified(node) }
        node.cached.lease = nil
        invalidateInode(of: node, .file, reason)
        invalidateInode(of: node, .directory, reason)
        suspend(node)
        resumeAfterInvalidations(node)
    }

    override func revoke(_ node: KeyNode, unlessOfSize size: Int) {
        if let lease = node.cached.lease, lease.size != size { revoke(node) }
    }

    /// Makes the kernel drop what it keeps of one of a key's two inodes.
    private func invalidateInode(
        of node: KeyNode,
        _ kind: FileKind,
        _ reason: InvalidationReason
    ) {
        // It knows the root without a lookup.
        if node.lookups(kind) > 0 || node.isRoot {
            environment.invalidate(.inode(node.inode(kind)), reason)
        }
    }

    override func revoke(
        _ place: KeyPlace,
        andBelow isSubtree: Bool,
        _ reason: InvalidationReason
    ) {
        for (index, directory) in place.directories.enumerated() {
            guard let child = place.child(after: index) else {
                // It has a child that is not known here.
                revoke(directory, reason)
                continue
            }
            let isAbove = index < place.names.count - 1
            // Whether the child was there is not known since a change at it or above. What was a
            // file is a directory when it has children, and a listing tells which it is.
            let mayBeOther = child.permissions == nil || isAbove && child.reportedKind != .directory
            if !isAbove || mayBeOther { revoke(directory, reason) }
        }
        guard let key = place.key else { return }
        for node in isSubtree ? keys.subtree(of: key) : [key] { revoke(node, reason) }
    }

    /// The kernel is about to drop what it knows of a key, at a moment that is not known: until it
    /// has, there is no other lease.
    private func suspend(_ node: KeyNode) {
        suspended[node.id, default: 0] += 1
    }

    /// It has when it has taken the invalidations. What it asked before, it does not take note of:
    /// neither a request that waits to be taken gets a lease, nor one that waits for the store.
    private func resumeAfterInvalidations(_ node: KeyNode) {
        environment.afterInvalidations { [self] in
            environment.afterRequests { [self] in
                if let path = try? node.path() { changes.append(path) }
                guard let count = suspended[node.id] else { return }
                suspended[node.id] = count > 1 ? count - 1 : nil
            }
        }
    }

    override func revokeInMemory(_ node: KeyNode) {
        localInvalidations.made += 1
        revoke(node, .ownChange)
    }

    override func revokeOwn(_ path: XenstorePath, andBelow isSubtree: Bool) {
        guard keys.shows(path), let place = keys.place(of: path) else { return }
        // What was asked before is not kept; by now the path may be another key's.
        changes.append(path)
        localInvalidations.made += 1
        revoke(place, andBelow: isSubtree, .ownChange)
    }

    override func barrier() async {
        let wanted = localInvalidations.made
        guard localInvalidations.done < wanted else { return }
        await withCheckedContinuation { waiter in
            environment.afterInvalidations { waiter.resume() }
        }
        localInvalidations.done = max(localInvalidations.done, wanted)
    }

    override func afterInvalidations(_ action: @escaping () -> Void) {
        environment.afterInvalidations(action)
    }

    // MARK: Contents

    /// The kernel makes the size 0 when a program empties a file, and changes it once more with the
    /// write. Whoever opens it now had better read past the kernel's cache.
    override func noteModified(_ node: KeyNode) {
        let now = environment.elapsed()
        if recentlyModified.count >= FilesystemLimits.recentlyModifiedKeys {
            recentlyModified = recentlyModified.filter {
                now - $0.value < FilesystemLimits.quietPeriod
            }
            if recentlyModified.count >= FilesystemLimits.recentlyModifiedKeys {
                recentlyModified = [:]
            }
        }
        recentlyModified[node.id] = now
    }

    private func isQuiet(_ node: KeyNode, at now: Duration) -> Bool {
        guard let time = recentlyModified[node.id] else { return true }
        guard now - time >= FilesystemLimits.quietPeriod else { return false }
        recentlyModified[node.id] = nil
        return true
    }

    override func mayOpen(_ node: KeyNode) -> Bool {
        guard isLeasing, let lease = node.cached.lease, lease.size != nil,
            node.deferredCreateCount == 0
        else { return false }
        let now = environment.elapsed()
        return lease.isAcknowledged(at: now) && isQuiet(node, at: now)
    }

    override func keepsContent(of node: KeyNode) -> Bool {
        node.cached.lease?.keepsContent == true
    }

    override func keep(
        contentOf node: KeyNode,
        _ path: XenstorePath,
        size: Int,
        asOf version: ChangeLog.Version,
        readBy caller: CallerID
    ) -> Bool {
        let now = environment.elapsed()
        guard let lease = node.cached.lease, lease.covers(size, readBy: caller, at: now) else {
            return false
        }
        lease.keepsContent = !changes.hasChanged(path, since: version)
        return true
    }

    // MARK: The agent

    override func beginInjection(into node: KeyNode) -> Int? {
        suspend(node)
        injecting.append(node)
        return node.cached.lease?.size
    }

    override func endInjections() {
        for node in injecting { resumeAfterInvalidations(node) }
        injecting = []
    }
}

/// What a key holds for ``LeasingKernelCache``, and that alone sees.
struct CacheState {
    fileprivate var lease: Lease?

    /// The kernel has forgotten the key, and with it all that it kept.
    mutating func forget() { lease = nil }
}

/// On what the kernel keeps a listing.
struct ListingLease {
    fileprivate let lease: Lease

    fileprivate init(_ lease: Lease) { self.lease = lease }

    static func === (first: ListingLease, second: ListingLease) -> Bool {
        first.lease === second.lease
    }
}

/// What the kernel may keep of a key by itself, until an event takes it back.
private final class Lease {
    /// The size of the file, as it was granted last; nil where only the directory's attributes
    /// were.
    private(set) var size: Int?
    /// The thread that the size was granted to, and that may not have read the answer yet; nil when
    /// it has.
    private var grantee: CallerID?
    private var grantedAt = Duration.zero
    /// Whether the kernel has the content as it is.
    var keepsContent = false
    /// Whether the kernel has the listing as it is.
    var keepsListing = false

    /// A system call of `caller` is answered with the file's size.
    func grant(_ size: Int, to caller: CallerID, at now: Duration) {
        guard self.size != size else { return }
        self.size = size
        (grantee, grantedAt) = (caller, now)
    }

    /// The thread that the size was granted to has come back: the kernel has taken note.
    func acknowledge() {
        grantee = nil
    }

    /// Whether the kernel knows the size. It does when the thread that asked comes back, or after a
    /// while: what else the thread does is not seen here.
    func isAcknowledged(at now: Duration) -> Bool {
        if grantee != nil, now - grantedAt >= FilesystemLimits.quietPeriod { grantee = nil }
        return grantee == nil
    }

    /// Whether the kernel cuts at this size what `caller` reads now.
    func covers(_ size: Int, readBy caller: CallerID, at now: Duration) -> Bool {
        guard self.size == size else { return false }
        if grantee == caller { grantee = nil }
        return isAcknowledged(at: now)
    }
}
