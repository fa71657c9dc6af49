import XenstoreProtocol

extension Filesystem {
    // MARK: Names

    /// Makes a scratch file where nothing has the name, and opens it.
    func createScratch(
        _ name: String,
        in directory: KeyNode,
        _ flags: OpenFlags
    ) async throws(FilesystemError) -> (Entry, HandleID) {
        let inherited: Permissions
        if let made = scratch.directory(of: directory) {
            inherited = made.inherited
        } else {
            inherited = try await reader.stat(of: directory.path(), node: directory).permissions
        }
        guard scratch.directory(in: directory) == nil || name != ScratchDirectory.name else {
            throw flags.contains(.exclusive) ? .exists : .isDirectory
        }
        // Another program may have made it while the store was asked.
        if let file = scratch.find(name, in: directory) {
            guard !flags.contains(.exclusive) else { throw .exists }
            return (entry(file), try openScratch(file, flags))
        }
        let now = environment.now()
        let file = try scratch.make(name, in: directory, inherited: inherited, now: now)
        timestamps.changedList(of: directory)
        // Who has the directory open may be given a listing without the file, which the kernel
        // would keep.
        kernelCache.revokeInMemory(directory)
        return (entry(file), try openScratch(file, flags))
    }

    /// The answer to a name that leads to a scratch file. It lasts as long as its name, or until it
    /// is closed, whatever the kernel knows.
    func entry(_ file: ScratchFile) -> Entry {
        // Not kept: when the file takes a key's name, the name leads to the key.
        return Entry(attributes: attributes(of: file), nameLifetime: 0)
    }

    func unlinkScratch(_ file: ScratchFile, in directory: KeyNode) {
        scratch.unlink(file)
        timestamps.changedList(of: directory)
    }

    // MARK: Attributes

    func attributes(of file: ScratchFile) -> Attributes {
        let permissions = file.permissions
        return Attributes(
            inode: file.inode,
            kind: .file,
            mode: (file.chosenMode ?? ModeBits.mode(of: permissions, kind: .file)) & ~options.umask,
            userID: options.userID(of: permissions),
            groupID: options.groupID,
            size: file.size,
            modified: file.modified,
            changed: file.changed
        )
    }

    func setAttributes(
        _ changes: AttributeChanges,
        of file: ScratchFile
    ) async throws(FilesystemError) -> Attributes {
        if let groupID = changes.groupID, groupID != options.groupID { throw .notPermitted }
        if let userID = changes.userID {
            guard options.ownership == .domain || userID == options.userID(of: file.permissions)
            else { throw .notPermitted }
            if options.ownership == .domain { try await setOwner(DomainID(userID), of: file) }
        }
        if let mode = changes.mode { try setMode(mode, of: file) }
        if let size = changes.size {
            try await edit(file, size: size) { $0.resize(to: size) }
        }
        if let modified = changes.modified { file.modified = modified }
        file.changed = environment.now()
        return attributes(of: file)
    }

    /// Asks whether a key can have the owner, as it is too late at the renaming: C xenstored takes
    /// no domain that does not exist. Where nothing can be asked without being done, and in a
    /// guest, which may give nothing away, the renaming fails.
    func setOwner(_ owner: DomainID, of file: ScratchFile) async throws(FilesystemError) {
        if owner != file.permissions.owner, options.isPrivileged, writer.rollsBack {
            try await writer.transaction(at: .root) {
                id async throws(XenstoreError) -> Outcome<Void> in
                let payload = try await writer.access.send(.getPermissions(.root), in: id)
                guard var permissions = Permissions(payload: payload) else {
                    throw .malformedReply
                }
                permissions.owner = owner
                _ = try await writer.access.send(.setPermissions(.root, permissions), in: id)
                return .unchanged(())
            }
        }
        file.chosenOwner = owner
    }

    /// Takes what the key can be given that the file is renamed to, whichever it will be: at the
    /// renaming the program has no more use for a refusal.
    private func setMode(_ mode: UInt32, of file: ScratchFile) throws(FilesystemError) {
        // Where modes are not the store's, one that shows what nobody gets cannot become true.
        guard mode & ~0o111 & options.umask == 0,
            let chosen = ModeBits.permissions(
                file.chosen ?? Permissions(owner: .privileged),
                withMode: mode & 0o7777,
                kind: .file
            )
        else { throw .notPermitted }
        if file.chosen != nil, options.umask == 0 {
            file.chosen = chosen
        } else {
            file.chosenMode = mode & 0o666
        }
    }

    // MARK: Content

    func openScratch(_ file: ScratchFile, _ flags: OpenFlags) throws(FilesystemError) -> HandleID {
        if flags.contains(.truncate) {
            try scratch.edit(file, size: 0) { $0.removeAll() }
        }
        scratch.addHandle(file)
        return files.insert(.scratch(OpenScratch(file: file, flags: flags)))
    }

    func write(
        _ bytes: [UInt8],
        to open: OpenScratch,
        offset: Int
    ) async throws(FilesystemError) {
        guard open.flags.contains(.write) else { throw .badHandle }
        let start = open.flags.contains(.append) ? open.file.size : offset
        guard start >= 0, start <= FilesystemLimits.scratchBytes else { throw .tooLarge }
        let end = start + bytes.count
        try await edit(open.file, size: max(end, open.file.size)) { content in
            if content.count < end { content.resize(to: end) }
            content.replaceSubrange(start..<end, with: bytes)
        }
    }

    func edit(
        _ file: ScratchFile,
        size: Int,
        _ body: (inout [UInt8]) -> Void
    ) async throws(FilesystemError) {
        try scratch.edit(file, size: size, body)
        file.modified = environment.now()
        file.changed = file.modified
        // It has become a key under the program's hands.
        if let key = file.destination { try await put(file.content, to: key) }
    }

    // MARK: Renaming

    /// Gives a scratch file another name.
    ///
    /// - Parameter name: one that no key has.
    func renameScratch(
        _ file: ScratchFile,
        to name: String,
        in directory: KeyNode,
        _ mode: RenameMode
    ) throws(FilesystemError) {
        guard let old = file.directory else { throw .stale }
        let oldName = file.name
        let replaced = scratch.find(name, in: directory)
        guard replaced !== file else { return }
        switch (mode, replaced) {
        case (.exchange, nil): throw .noEntry
        case (.exchange, let other?):
            scratch.removeDentry(other)
            scratch.move(file, to: name, in: directory)
            scratch.move(other, to: oldName, in: old)
        case (.keep, _?): throw .exists
        case (.replace, let other?):
            scratch.unlink(other)
            scratch.move(file, to: name, in: directory)
        case (.keep, nil), (.replace, nil):
            scratch.move(file, to: name, in: directory)
        }
        file.changed = environment.now()
        timestamps.changedList(of: old)
        timestamps.changedList(of: directory)
        kernelCache.revokeInMemory(directory)
    }

    /// Makes a scratch file the value of a key: one write, which also gives the key the permissions
    /// that were set on the file.
    ///
    /// - Parameter key: the name of the key in `parent`; nil for the value of `parent` itself.
    func renameScratch(
        _ file: ScratchFile,
        toKey key: String?,
        of parent: KeyNode,
        _ mode: RenameMode
    ) async throws(FilesystemError) {
        guard mode != .exchange else { throw .notPermitted }
        guard file.size <= FilesystemLimits.fileSize else { throw .tooLarge }
        let path: XenstorePath
        if let key {
            path = try parent.path(ofChild: key)
        } else {
            path = try parent.path()
        }
        let value = options.valueForm.value(of: file.content)
        let old = file.directory
        let isNew = try await replaceValue(of: path, in: parent.path(), by: value, file, mode)
        let node: KeyNode
        if let key {
            node = isNew ? keys.insertNew(key, of: parent) : keys.insertChild(key, of: parent)
            if node.emptyKind == nil { node.emptyKind = .file }
        } else {
            node = parent
            node.createdBy = nil
        }
        node.dropStat()
        node.hasValue = !value.isEmpty
        if isNew { timestamps.made(node) }
        timestamps.replacedValue(of: node, by: value, modified: file.modified)
        scratch.becomeKey(file, node)
        if let old { timestamps.changedList(of: old) }
        if let key {
            noteChild(of: parent, named: isNew ? key : nil)
            keys.dropUnused(node)
        }
    }

    /// - Returns: whether there was no such key before.
    private func replaceValue(
        of path: XenstorePath,
        in parent: XenstorePath,
        by value: [UInt8],
        _ file: ScratchFile,
        _ mode: RenameMode
    ) async throws(FilesystemError) -> Bool {
        try await writer.transaction(at: path) { id async throws(XenstoreError) -> Outcome<Bool> in
            // The directory must still be there: a write would make it anew.
            let answers = await writer.access.send(
                [.getPermissions(parent), .getPermissions(path)],
                in: id
            )
            let inherited = try answers[0].get()
            let payload: [UInt8]
            var isNew = false
            switch answers[1] {
            case .success(let current):
                guard mode == .replace else { return .fail(.exists) }
                payload = current
            case .failure(.refused(.noEntry)): (payload, isNew) = (inherited, true)
            case .failure(let error): throw error
            }
            guard let current = Permissions(payload: payload) else { throw .malformedReply }
            let chosen = permissions(current, chosenFor: file)
            _ = try await writer.access.send(.write(path, value: value), in: id)
            if chosen != current {
                _ = try await writer.access.send(.setPermissions(path, chosen), in: id)
            }
            return .commit(isNew)
        }
    }

    /// The permissions of a key that takes a scratch file's place.
    private func permissions(_ current: Permissions, chosenFor file: ScratchFile) -> Permissions {
        var chosen = file.chosen ?? current
        chosen.owner = file.chosenOwner ?? current.owner
        guard let mode = file.chosenMode else { return chosen }
        return ModeBits.permissions(chosen, under: mode, hiding: options.umask)
    }
}
