import XenstoreProtocol

extension Filesystem {
    public func attributesFromStore(
        of inode: InodeNumber,
        handle: HandleID?,
        by caller: CallerID
    ) async throws(FilesystemError) -> Attributes {
        if let file = streams.find(inode) { return try await streams.attributesOfShared(file) }
        let (node, kind) = try find(inode)
        let use = nameUse(node, kind, by: caller)
        if kind == .directory { await prepareForWatch(node, by: caller) }
        let (attributes, version) = try await attributes(of: node, kind, handle, use) {
            () async throws(FilesystemError) in
            guard kind == .file else { return try await statOfDirectory(node, for: caller) }
            let stat = try await reader.stat(of: node, .file, for: caller)
            if node.handleCount > 0 { await waitForSize(of: node) }
            showSize(of: stat, node)
            return stat
        }
        let shown = sizeAsRead(attributes, of: node, handle, for: caller)
        // What one program sees of a file that it has changed is no other's.
        guard shown.size == attributes.size else { return shown }
        return kernelCache.lease(shown, of: node, askedFor: inode, asOf: version, to: caller)
    }

    /// The attributes of the root as they were seen last. A program that looks at `.xsfs` while the
    /// store does not answer comes through here.
    var seenAttributesOfRoot: Attributes? {
        keys.root.seenPermissions.map { attributes(of: keys.root, .directory, $0, size: 0) }
    }

    /// Attributes with the size that a program finds when it reads by the file that it has open.
    ///
    /// The kernel names the file for lseek(2) alone. For fstat(2) it is the one that the program
    /// has truncated and not written yet: the store still has the old value, which is what all
    /// other programs see.
    func sizeAsRead(
        _ attributes: Attributes,
        of node: KeyNode,
        _ handle: HandleID?,
        for caller: CallerID
    ) -> Attributes {
        guard attributes.kind == .file, node.handleCount > 0 else { return attributes }
        var size = attributes.size
        if let handle, case .key(let file) = try? files.find(handle) {
            size = file.size(shown: size)
        } else if let changed = files.last(
            of: node,
            where: { file in
                file.hidesValue && environment.sharesFiles(caller, file.opener)
            }
        ) {
            size = changed.content.count
        }
        guard size != attributes.size else { return attributes }
        var attributes = attributes
        attributes.size = size
        report(size, of: node)
        return attributes
    }

    /// A program is given the size of a file, and the kernel with it. Where the kernel is given
    /// another one with a change by others, that may come later.
    func report(_ size: Int, of node: KeyNode) {
        if kernelCache.sizes.mayPrevail(node, at: environment.elapsed) {
            node.limitReportedSize(size)
        } else {
            node.reportSize(size)
        }
    }

    /// The store holds this value: what programs read from files that they have open is of the size
    /// that they are given.
    func showSize(of stat: KeyStat, _ node: KeyNode) {
        guard node.handleCount > 0 else { return }
        let form = options.valueForm
        let size = form.size(of: stat.value)
        let isSure = !kernelCache.sizes.mayPrevail(node, at: environment.elapsed)
        files.forEach(of: node) { file in
            file.show(size: size, isSure: isSure) { form.content(of: stat.value) }
        }
    }

    /// The attributes as the store says now.
    private func attributes(of inode: InodeNumber) async throws(FilesystemError) -> Attributes {
        let (node, kind) = try find(inode)
        return try await attributes(of: node, kind) { () async throws(FilesystemError) in
            try await reader.stat(of: node.path(), node: node)
        }.attributes
    }

    private func attributes(
        of node: KeyNode,
        _ kind: FileKind,
        _ handle: HandleID? = nil,
        _ use: NameUse? = nil,
        _ ask: () async throws(FilesystemError) -> KeyStat
    ) async throws(FilesystemError) -> (attributes: Attributes, version: ChangeLog.Version) {
        if node.isUnlinked {
            if node.isStaleInKernel, let gone = attributesOfOpen(node, kind, handle) {
                return (gone, .never)
            }
            // A read(2) by way of the kernel's cache asks here, each time.
            throw kind == .file && files.hasLeased(of: node) ? .stale : unlinked(node)
        }
        let stat: KeyStat
        do throws(FilesystemError) {
            stat = try await ask()
        } catch .noEntry where node.deferredCreateCount > 0 && kind == .file {
            return (try await attributesBeforeCreation(of: node), .never)
        } catch .noEntry {
            // Once the kernel has forgotten the name, only who has the file open asks.
            if handle != nil || node.isStaleInKernel,
                let gone = attributesOfOpen(node, kind, handle)
            {
                return (gone, .never)
            }
            // The kernel forgets the name before the program gets its answer. For a read(2) by way
            // of its cache it asks here, each time.
            let error = gone(node)
            throw kind == .file && files.hasLeased(of: node) ? .stale : error
        } catch .accessDenied where kind == .directory {
            return (attributesOfUnreadable(node), .never)
        }
        return (try attributes(of: node, kind, checked: stat, use), stat.version)
    }

    /// How a program has come to a shape of a key.
    struct NameUse {
        let caller: CallerID
        /// Whether the kernel may have had the key's plain name lead to that shape when it sent the
        /// request. An invalidation of a name waits while it works in the directory.
        let isPlain: Bool
    }

    func nameUse(_ node: KeyNode, _ kind: FileKind, by caller: CallerID) -> NameUse {
        guard node.reportedKind != kind else { return NameUse(caller: caller, isPlain: true) }
        return NameUse(caller: caller, isPlain: kernelCache.isInvalidatingEntry(of: node))
    }

    /// - Throws: as ``requireKind(_:of:_:)`` does, and ``FilesystemError/stale``, once for a system
    ///   call, for a name that the kernel was still to forget. A file that is read by way of the
    ///   kernel's cache keeps its attributes, whatever shape its key has by now.
    func attributes(
        of node: KeyNode,
        _ kind: FileKind,
        checked stat: KeyStat,
        _ use: NameUse?
    ) throws(FilesystemError) -> Attributes {
        let isLeased = kind == .file && files.hasLeased(of: node)
        if let use, !isLeased {
            let isRetry = kernelCache.retries.endName(by: use.caller)
            if use.isPlain, node.reportedKind != kind, !isRetry, keys.kind(stat, of: node) != kind {
                kernelCache.retries.beginName(by: use.caller)
                throw .stale
            }
        }
        if !isLeased { try requireKind(kind, of: node, stat) }
        return attributes(of: node, kind, stat)
    }

    func attributes(of node: KeyNode, _ kind: FileKind, _ stat: KeyStat) -> Attributes {
        let size = kind == .file ? options.valueForm.size(of: stat.value) : 0
        return attributes(of: node, kind, stat.permissions, size: size)
    }

    func attributes(of node: KeyNode, _ kind: FileKind, _ permissions: Permissions, size: Int)
        -> Attributes
    {
        if kind == .file { report(size, of: node) }
        let times = timestamps.times(of: node, kind)
        return Attributes(
            inode: node.inode(kind),
            kind: kind,
            mode: ModeBits.mode(of: permissions, kind: kind) & ~options.umask,
            userID: options.userID(of: permissions),
            groupID: options.groupID,
            size: size,
            modified: times.modified,
            changed: times.changed
        )
    }

    /// What a listing gives of a key: its type. The kernel asks for all else, and takes a file to
    /// be as long as any can be: it sees the end where it reads.
    func typeAlone(of node: KeyNode, _ kind: FileKind) -> Attributes {
        Attributes(
            inode: node.inode(kind),
            kind: kind,
            mode: 0,
            userID: 0,
            groupID: options.groupID,
            size: kind == .file ? FilesystemLimits.largestSize : 0,
            modified: timestamps.started,
            changed: timestamps.started
        )
    }

    /// A key that may not be read can be walked through, and no more is known of it.
    func attributesOfUnreadable(_ node: KeyNode) -> Attributes {
        let unknown = Permissions(owner: .privileged)
        var attributes = attributes(of: node, .directory, unknown, size: 0)
        attributes.mode = ModeBits.ofUnreadable & ~options.umask
        return attributes
    }

    /// What fstat(2) gives of a file or directory that is open and gone.
    private func attributesOfOpen(
        _ node: KeyNode,
        _ kind: FileKind,
        _ handle: HandleID?
    ) -> Attributes? {
        guard node.handleCount > 0 else { return nil }
        let permissions = node.permissions ?? Permissions(owner: .privileged)
        guard kind == .file else {
            guard directories.contains({ $0.node === node }) else { return nil }
            return attributes(of: node, .directory, permissions, size: 0)
        }
        var file: OpenFile?
        if let handle, case .key(let named) = try? files.find(handle) {
            file = named
        } else {
            file = files.last(of: node) { _ in true }
        }
        return file.map { attributes(of: node, .file, permissions, size: $0.content.count) }
    }

    /// A key that is open for creation has the permissions that it will inherit, and no value.
    private func attributesBeforeCreation(of node: KeyNode) async throws(FilesystemError)
        -> Attributes
    {
        guard let parent = node.parent else { throw .stale }
        let path = try parent.path()
        return attributes(of: node, .file, try await reader.permissions(at: path), size: 0)
    }

    /// Checks that the kernel sees the key the way it is, after another client may have changed it.
    ///
    /// - Throws: ``FilesystemError/stale`` once: the kernel then looks the name up again.
    func requireKind(_ kind: FileKind, of node: KeyNode, _ stat: KeyStat) throws(FilesystemError) {
        guard let shown = node.reportedKind, shown == kind else { return }
        let actual = keys.kind(stat, of: node)
        guard actual != shown else { return }
        node.reportedKind = actual
        kernelCache.invalidateEntry(of: node, .otherShape)
        throw .stale
    }

    // MARK: Changes

    public func setAttributes(
        _ changes: AttributeChanges,
        of inode: InodeNumber,
        handle: HandleID?
    ) async throws(FilesystemError) -> Attributes {
        try requireWritable()
        if let file = scratch.find(inode) { return try await setAttributes(changes, of: file) }
        if let made = scratch.directory(inode) { return try setAttributes(changes, of: made) }
        let (node, kind) = try find(inode)
        if let size = changes.size {
            guard kind == .file else { throw .isDirectory }
            try await truncate(node, to: size, handle: handle)
            if let handle, changes.isSizeAlone {
                return try await attributes(ofTruncated: handle, inode)
            }
        }
        if changes.mode != nil || changes.userID != nil || changes.groupID != nil {
            try await commitDeferredCreate(node)
            try await setOwnership(changes, of: node, kind)
        }
        if let modified = changes.modified {
            timestamps.setModified(modified, of: node, kind)
            kernelCache.revokeInMemory(node)
        }
        return try await attributes(of: inode)
    }

    /// What ftruncate(2) leaves of a file: its size is the handle's, until the store has it.
    private func attributes(
        ofTruncated handle: HandleID,
        _ inode: InodeNumber
    ) async throws(FilesystemError) -> Attributes {
        let file = try files.key(handle)
        var attributes = try await attributes(of: inode)
        attributes.size = file.content.count
        report(attributes.size, of: file.node)
        return attributes
    }

    private func setOwnership(
        _ changes: AttributeChanges,
        of node: KeyNode,
        _ kind: FileKind
    ) async throws(FilesystemError) {
        let path = try node.path()
        let old = try await reader.permissions(at: path)
        let new = try permissions(old, changedBy: changes, kind)
        guard new != old else {
            // As on a disk.
            timestamps.changedStatus(of: node)
            return kernelCache.revokeInMemory(node)
        }
        try await writer.send(.setPermissions(path, new), at: path)
        node.permissions = nil
    }

    /// Permissions as chown(2) and chmod(2) change them.
    ///
    /// - Throws: ``FilesystemError/notPermitted`` for what permissions cannot express.
    private func permissions(
        _ old: Permissions,
        changedBy changes: AttributeChanges,
        _ kind: FileKind
    ) throws(FilesystemError) -> Permissions {
        if let groupID = changes.groupID, groupID != options.groupID { throw .notPermitted }
        var new = old
        if let userID = changes.userID, userID != options.userID(of: old) {
            guard options.ownership == .domain else { throw .notPermitted }
            new.owner = DomainID(userID)
        }
        if let mode = changes.mode {
            let shown = ModeBits.mode(of: new, kind: kind) & ~options.umask
            if mode & 0o7777 != shown {
                guard options.umask == 0,
                    let changed = ModeBits.permissions(new, withMode: mode, kind: kind)
                else { throw .notPermitted }
                new = changed
            }
        }
        return new
    }

    private func truncate(_ node: KeyNode, to size: Int, handle: HandleID?)
        async throws(FilesystemError)
    {
        guard size <= FilesystemLimits.fileSize else { throw .tooLarge }
        if let handle {
            let file = try files.key(handle)
            guard file.flags.contains(.write) else { throw .invalid }
            // Writers in place cut off what was longer: often nothing.
            guard size != file.content.count else { return }
            try await finishPending(of: node, except: file)
            file.content.resize(to: size)
            // The program has the file open: what it writes next is the same change.
            file.pending = .untilFlush
            return
        }
        let path = try node.path()
        let form = options.valueForm
        try await finishPending(of: node)
        let content = try await writer.transaction(at: path) {
            id async throws(XenstoreError) -> Outcome<[UInt8]> in
            let old = try await writer.access.send(.read(path), in: id)
            var content = form.content(of: old)
            content.resize(to: size)
            let value = form.value(of: content)
            guard value != old else { return .unchanged(content) }
            _ = try await writer.access.send(.write(path, value: value), in: id)
            return .commit(content)
        }
        follow(content, of: node)
    }
}

extension [UInt8] {
    /// Cuts the bytes, or adds zeros, as truncate(2) does.
    mutating func resize(to size: Int) {
        if size <= count {
            removeSubrange(size...)
        } else {
            append(contentsOf: repeatElement(0, count: size - count))
        }
    }
}
