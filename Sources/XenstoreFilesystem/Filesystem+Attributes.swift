import XenstoreProtocol

extension Filesystem {
    public func attributesFromStore(
        of inode: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> Attributes {
        let (node, view) = try find(inode)
        if view == .directory { await prepareForWatch(node, by: caller) }
        let (told, serial) = try await attributes(of: node, view) {
            () async throws(FilesystemError) in
            try await facts(of: node, view, for: caller)
        }
        return lease(told, of: node, toldFor: inode, asOf: serial, to: caller)
    }

    /// The attributes as the store says now.
    private func attributes(of inode: InodeNumber) async throws(FilesystemError) -> Attributes {
        let (node, view) = try find(inode)
        return try await attributes(of: node, view) { () async throws(FilesystemError) in
            try await facts(of: node.path(), node: node)
        }.told
    }

    private func attributes(
        of node: KeyNode,
        _ view: View,
        _ ask: () async throws(FilesystemError) -> KeyFacts
    ) async throws(FilesystemError) -> (told: Attributes, serial: Int?) {
        if node.isDetached {
            guard view == .file, node.wasToldStale else { throw staleOrGone(node) }
            if let gone = attributesOfOpen(node) { return (gone, nil) }
        }
        let facts: KeyFacts
        do throws(FilesystemError) {
            facts = try await ask()
        } catch .noEntry where node.creatorCount > 0 && view == .file {
            return (try await attributesBeforeCreation(of: node), nil)
        } catch .noEntry {
            // Once the kernel has forgotten the name, only who has the file open asks.
            if view == .file, node.wasToldStale, let gone = attributesOfOpen(node) {
                return (gone, nil)
            }
            // The kernel forgets the name before the program gets its answer. For a read(2) by way
            // of its cache it asks here, each time.
            let error = staleOrGone(node)
            throw view == .file && isOpenLeased(node) ? .stale : error
        } catch .accessDenied where view == .directory {
            return (attributesOfUnreadable(node), nil)
        }
        return (try attributes(of: node, view, checked: facts), facts.serial)
    }

    /// - Throws: as ``requireView(_:of:_:)`` does. Where a file is read by way of the kernel's
    ///   cache, it is told of, whatever shape its key has by now.
    func attributes(
        of node: KeyNode,
        _ view: View,
        checked facts: KeyFacts
    ) throws(FilesystemError) -> Attributes {
        if view != .file || !isOpenLeased(node) { try requireView(view, of: node, facts) }
        return attributes(of: node, view, facts)
    }

    func attributes(of node: KeyNode, _ view: View, _ facts: KeyFacts) -> Attributes {
        let size = view == .file ? options.valueForm.size(of: facts.value) : 0
        return attributes(of: node, view, facts.permissions, size: size)
    }

    func attributes(of node: KeyNode, _ view: View, _ permissions: Permissions, size: Int)
        -> Attributes
    {
        Attributes(
            inode: node.inode(view),
            view: view,
            mode: ModeBits.mode(of: permissions, view: view) & ~options.umask,
            userID: userID(of: permissions),
            groupID: options.groupID,
            size: size,
            modified: node.modified
        )
    }

    /// What a listing tells of a key: the type alone. The kernel is told to ask for all else.
    func typeAlone(of node: KeyNode, _ view: View) -> Attributes {
        Attributes(
            inode: node.inode(view),
            view: view,
            mode: 0,
            userID: 0,
            groupID: options.groupID,
            size: 0,
            modified: node.modified
        )
    }

    /// The user who Linux shows where there is none.
    private static var nobody: UInt32 { 65534 }

    func userID(of permissions: Permissions) -> UInt32 {
        switch options.ownership {
        // The kernel takes the number that stands for nobody for none.
        case .domain: permissions.owner == .nobody ? Self.nobody : permissions.owner.rawValue
        case .user(let id): id
        }
    }

    /// A key that may not be read can be walked through, and no more is known of it.
    func attributesOfUnreadable(_ node: KeyNode) -> Attributes {
        let unknown = Permissions(owner: .privileged)
        var attributes = attributes(of: node, .directory, unknown, size: 0)
        attributes.mode = 0o111 & ~options.umask
        return attributes
    }

    /// What fstat(2) tells of a file that is open and gone.
    private func attributesOfOpen(_ node: KeyNode) -> Attributes? {
        guard node.handleCount > 0 else { return nil }
        var size: Int?
        files.forEach { handle in
            if case .key(let file) = handle, file.node === node { size = file.content.count }
        }
        let permissions = node.permissions ?? Permissions(owner: .privileged)
        return size.map { attributes(of: node, .file, permissions, size: $0) }
    }

    /// A key that is open for creation has the permissions that it will inherit, and no value.
    private func attributesBeforeCreation(of node: KeyNode) async throws(FilesystemError)
        -> Attributes
    {
        guard let parent = node.parent else { throw .stale }
        let path = try parent.path()
        return attributes(of: node, .file, try await permissions(at: path), size: 0)
    }

    /// Checks that the kernel sees the key the way it is, after another client may have changed it.
    ///
    /// - Throws: ``FilesystemError/stale`` once: the kernel then looks the name up again.
    func requireView(_ view: View, of node: KeyNode, _ facts: KeyFacts) throws(FilesystemError) {
        guard let shown = node.shownView, shown == view else { return }
        let actual = self.view(facts, of: node)
        guard actual != shown else { return }
        node.shownView = actual
        forgetName(of: node)
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
        let (node, view) = try find(inode)
        if let size = changes.size {
            guard view == .file else { throw .isDirectory }
            try await truncate(node, to: size, handle: handle)
        }
        if changes.mode != nil || changes.userID != nil || changes.groupID != nil {
            try await makeAnnounced(node)
            try await setOwnership(changes, of: node, view)
        }
        if let modified = changes.modified {
            node.modified = modified
            revokeInMemory(node)
        }
        return try await attributes(of: inode)
    }

    private func setOwnership(
        _ changes: AttributeChanges,
        of node: KeyNode,
        _ view: View
    ) async throws(FilesystemError) {
        let path = try node.path()
        let old = try await permissions(at: path)
        let new = try permissions(
            old,
            changedBy: changes,
            view,
            allowingWiderGroup: node.awaitsPermissions && view == .directory
        )
        guard new != old else { return }
        _ = try await send(.setPermissions(path, new), at: path)
        node.permissions = nil
        node.modified = environment.now()
    }

    /// Permissions as chown(2) and chmod(2) change them.
    ///
    /// - Parameter allowingWiderGroup: whether the group may be given more than the entries give:
    ///   they are still to come.
    /// - Throws: ``FilesystemError/notPermitted`` for what permissions cannot express.
    func permissions(
        _ old: Permissions,
        changedBy changes: AttributeChanges,
        _ view: View,
        allowingWiderGroup: Bool = false
    ) throws(FilesystemError) -> Permissions {
        if let groupID = changes.groupID, groupID != options.groupID { throw .notPermitted }
        var new = old
        if let userID = changes.userID, userID != self.userID(of: old) {
            guard options.ownership == .domain else { throw .notPermitted }
            new.owner = DomainID(userID)
        }
        if let mode = changes.mode {
            let shown = ModeBits.mode(of: new, view: view) & ~options.umask
            if mode & 0o7777 != shown {
                guard options.umask == 0,
                    let changed = ModeBits.permissions(
                        new,
                        withMode: mode,
                        view: view,
                        allowingWiderGroup: allowingWiderGroup
                    )
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
            let file = try openFile(handle)
            guard file.flags.contains(.write) else { throw .invalid }
            // Writers in place cut off what was longer: often nothing.
            guard size != file.content.count else { return }
            file.content.resize(to: size)
            // The program has the file open: what it writes next is the same change.
            file.pending = .untilFlush
            return
        }
        let path = try node.path()
        let form = options.valueForm
        try await transaction(at: path) { id async throws(XenstoreError) -> Outcome<Void> in
            let old = try await access.send(.read(path), in: id)
            var content = form.content(of: old)
            content.resize(to: size)
            let value = form.value(of: content)
            guard value != old else { return .unchanged(()) }
            _ = try await access.send(.write(path, value: value), in: id)
            return .commit(())
        }
        node.modified = environment.now()
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
