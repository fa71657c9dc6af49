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

/// What the kernel may keep by itself with `cache=watch`: attributes, listings and contents, until
/// an event of the watch takes them back.
///
/// A lease begins when attributes are granted, and covers what is read under them. The kernel cuts
/// what it reads at the size that it knows, so that content goes out only under a lease of its very
/// size: half of a value is seen only where a thread sleeps between the two.
extension Filesystem {
    /// Whether the kernel may keep anything at all.
    var isLeasing: Bool { options.cache == .watch && isWatching }

    /// Lets the kernel keep attributes that a system call of `caller` is answered with.
    ///
    /// - Parameters:
    ///   - inode: which the kernel asked about. No other is invalidated later.
    ///   - serial: the number of changes when the store was asked.
    func lease(
        _ attributes: Attributes,
        of node: KeyNode,
        askedFor inode: InodeNumber,
        asOf serial: Int?,
        to caller: CallerID
    ) -> Attributes {
        // One of a key that was made again under an open file is not invalidated when that changes.
        guard isLeasing, attributes.inode == inode, let serial, node.deferredCreateCount == 0,
            invalidating[node.id] == nil,
            let path = try? node.path(), !changes.hasChanged(path, since: serial)
        else { return attributes }
        // oxenstored tells nobody of a change of its root itself: its value is asked for each time.
        guard attributes.kind == .directory || !path.isRoot else { return attributes }
        if node.lease == nil { leases.granted += 1 }
        let lease = node.lease ?? Lease()
        node.lease = lease
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

    /// A thread makes a system call, and so has the answer to the one before.
    func acknowledge(_ caller: CallerID) {
        if !unacknowledged.isEmpty { unacknowledged.removeValue(forKey: caller)?.acknowledge() }
    }

    /// Something has changed: the kernel keeps nothing of a key any more.
    func revoke(_ node: KeyNode, _ reason: InvalidationReason = .changed) {
        guard let lease = node.lease else { return }
        leases.revoked += 1
        if lease.size != nil { noteModified(node) }
        node.lease = nil
        invalidateInode(of: node, .file, reason)
        invalidateInode(of: node, .directory, reason)
        suspendLeases(node)
        resumeLeasesAfterInvalidations(node)
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

    /// Something changes at a key, or below it, and with it the key may have been made: whether it
    /// was there is not known since a change at it or above. What was a file is a directory when it
    /// has children, and a listing tells which it is.
    func revokeListing(of directory: KeyNode, before child: KeyNode, isAbove: Bool) {
        if child.permissions == nil || isAbove && child.reportedKind != .directory {
            revoke(directory)
        }
    }

    /// The kernel is about to drop what it knows of a key, at a moment that is not known: until it
    /// has, there is no other lease.
    private func suspendLeases(_ node: KeyNode) {
        invalidating[node.id, default: 0] += 1
    }

    /// It has when it has taken the invalidations. What it asked before, it does not take note of:
    /// neither a request that waits to be taken gets a lease, nor one that waits for the store.
    private func resumeLeasesAfterInvalidations(_ node: KeyNode) {
        environment.afterInvalidations { [self] in
            environment.afterRequests { [self] in
                if let path = try? node.path() { changes.append(path) }
                guard let count = invalidating[node.id] else { return }
                invalidating[node.id] = count > 1 ? count - 1 : nil
            }
        }
    }

    /// The size for the kernel when the inotify agent changes a file: that of the lease, by which
    /// the kernel answers; or of what programs have open, as they may read by sendfile(2). Until
    /// the agent has come back there is no other lease.
    ///
    /// - Parameter current: the size as of the change.
    func sizeForAgent(_ node: KeyNode, _ kind: FileKind, current: Int) -> Int {
        if options.cache == .watch {
            suspendLeases(node)
            injecting.append(node)
        }
        guard kind == .file else { return current }
        if options.cache == .watch {
            // The kernel goes by this size itself when a program seeks to the end.
            let changed = lastFile(of: node) { $0.hidesValue }
            return changed?.content.count ?? node.lease?.size ?? current
        }
        if let open = largestOpenSize(of: node) { return open }
        // Never less than a program was given before: it may be about to open the file.
        return node.reportedSize == .max ? current : max(current, Int(node.reportedSize))
    }

    /// The agent has come back from all of its calls.
    func callsHaveReturned() {
        for node in injecting { resumeLeasesAfterInvalidations(node) }
        injecting = []
    }

    /// A system call has changed what is in memory alone, and what other names of the key show.
    func revokeInMemory(_ node: KeyNode) {
        guard options.cache == .watch else { return }
        localInvalidations.made += 1
        revoke(node, .ownChange)
    }

    /// A transaction of this mount has changed a key. The store may tell of that later.
    ///
    /// - Parameter isValue: whether its value may be another.
    func noteCommitted(_ path: XenstorePath, andBelow isSubtree: Bool, isValue: Bool) {
        guard options.subtree.contains(path) else { return }
        changes.append(path)
        noteCommittedTimes(path, isValue: isValue)
        var node = keys.root
        var rest = names(to: path)
        while let name = rest.popFirst() {
            node.hasChildren = nil
            guard let child = keys.child(String(name), of: node) else { break }
            node = child
            guard rest.isEmpty else { continue }
            for node in isSubtree ? keys.subtree(of: node) : [node] { node.dropStat() }
            if isSubtree { keys.dropMemory(below: node) }
        }
        revoke(at: path, andBelow: isSubtree)
    }

    /// A request of our own has changed a key.
    func revoke(at path: XenstorePath, andBelow isSubtree: Bool) {
        guard options.cache == .watch, options.subtree.contains(path) else { return }
        // What was asked before is not kept; by now the path may be another key's.
        changes.append(path)
        localInvalidations.made += 1
        var node = keys.root
        var rest = names(to: path)
        while let name = rest.popFirst() {
            guard let child = keys.child(String(name), of: node) else {
                return revoke(node, .ownChange)
            }
            revokeListing(of: node, before: child, isAbove: !rest.isEmpty)
            node = child
        }
        if let parent = node.parent { revoke(parent, .ownChange) }
        guard isSubtree else { return revoke(node, .ownChange) }
        for node in keys.subtree(of: node) { revoke(node, .ownChange) }
    }

    public func invalidationBarrier() async {
        let wanted = localInvalidations.made
        guard localInvalidations.done < wanted else { return }
        await withCheckedContinuation { waiter in
            environment.afterInvalidations { waiter.resume() }
        }
        localInvalidations.done = max(localInvalidations.done, wanted)
    }

    // MARK: Files

    /// The content of a key changes, or a program empties it to write it again: the kernel makes
    /// its size 0 then, and changes it once more with the write. Whoever opens it now had better
    /// read past the kernel's cache.
    func noteModified(_ node: KeyNode) {
        guard options.cache == .watch else { return }
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

    /// Opens a file to be read by way of the kernel's cache: it is there, and nothing is asked.
    func openLeased(_ node: KeyNode) -> HandleID? {
        guard isLeasing, let lease = node.lease, lease.size != nil, node.deferredCreateCount == 0
        else {
            return nil
        }
        let now = environment.elapsed()
        guard lease.isAcknowledged(at: now), isQuiet(node, at: now) else { return nil }
        node.handleCount += 1
        return files.insert(.leased(node))
    }

    /// Whether a program has a file open to be read by way of the kernel's cache.
    func isOpenLeased(_ node: KeyNode) -> Bool {
        options.cache == .watch && node.handleCount > 0
            && files.contains { handle in
                if case .leased(let leased) = handle { leased === node } else { false }
            }
    }

    public func caching(of handle: HandleID) -> Caching {
        guard case .leased(let node) = try? files.find(handle) else { return .none }
        return node.lease?.keepsContent == true ? .kept : .fresh
    }

    /// This mount takes a key away: who has it open to be read by way of the kernel's cache reads
    /// on what it was, as on a disk.
    ///
    /// - Parameter value: the last that the key had.
    func keepContent(_ value: [UInt8], of node: KeyNode) {
        guard options.cache == .watch, node.handleCount > 0 else { return }
        let content = options.valueForm.content(of: value)
        files.replaceEach { handle in
            guard case .leased(let leased) = handle, leased === node else { return nil }
            return .key(
                OpenFile(
                    node: node,
                    flags: .read,
                    opener: .nobody,
                    content: content,
                    opened: environment.elapsed()
                )
            )
        }
    }

    /// Reads what the kernel has not kept.
    func readLeased(
        _ node: KeyNode,
        offset: Int,
        count: Int,
        by caller: CallerID
    ) async throws(FilesystemError) -> ArraySlice<UInt8> {
        let path = try node.path()
        let serial = changes.serial
        let stat: KeyStat
        do throws(FilesystemError) {
            stat = try await self.stat(of: path, node: node)
        } catch .noEntry {
            // Others have removed it, and nobody has what it was.
            throw .stale
        }
        let content = options.valueForm.content(of: stat.value)
        let now = environment.elapsed()
        guard let lease = node.lease, lease.covers(content.count, readBy: caller, at: now) else {
            revoke(node)
            // Without a watch nobody could keep the attributes.
            guard isLeasing else { throw .stale }
            // The next try of read(2) asks for the attributes first, as soon as the kernel has
            // dropped those that it has. That of sendfile(2) does not, and would go on for ever.
            let since = interruptedReads[caller] ?? now
            guard now - since < FilesystemLimits.quietPeriod else {
                interruptedReads[caller] = nil
                return content.part(offset: offset, count: count)
            }
            if interruptedReads.count >= FilesystemLimits.threadStats { interruptedReads = [:] }
            interruptedReads[caller] = since
            throw .interrupted
        }
        lease.keepsContent = !changes.hasChanged(path, since: serial)
        return content.part(offset: offset, count: count)
    }

    // MARK: Directories

    public func listingCaching(of handle: HandleID) -> Caching {
        (try? directories.find(handle))?.caching ?? .none
    }

    /// Opens a directory of which the kernel has the names: they are asked for only if it wants
    /// them again.
    func openLeasedDirectory(_ node: KeyNode, by caller: CallerID) -> HandleID? {
        guard isLeasing, let lease = node.lease, lease.keepsListing else { return nil }
        node.handleCount += 1
        let directory = OpenDirectory(node: node, caller: caller, listing: nil)
        directory.lease = lease
        return directories.insert(directory)
    }

    /// Lets the kernel keep the names of a listing.
    ///
    /// - Returns: the lease on which it does; nil where it does not.
    func lease(_ listing: Listing, of node: KeyNode) -> Lease? {
        // The root's own value is in it.
        guard isLeasing, let path = try? node.path(), !path.isRoot else { return nil }
        // Scratch files come and go without an event.
        let isTrue =
            !changes.hasChanged(path, since: listing.serial) && scratch.names(in: node).isEmpty
        guard isTrue, !hasOlderListing(node) else { return nil }
        let lease = node.lease ?? Lease()
        node.lease = lease
        lease.keepsListing = true
        return lease
    }

    /// Whether a program has a directory open since before its lease. The kernel keeps what that
    /// one reads, too, and at a moment that is not known.
    private func hasOlderListing(_ node: KeyNode) -> Bool {
        node.handleCount > 0
            && directories.contains { directory in
                directory.node === node && directory.lease != nil
                    && directory.lease !== node.lease
            }
    }
}
