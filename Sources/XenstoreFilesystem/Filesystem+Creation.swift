import XenstoreProtocol

extension Filesystem {
    public func create(
        _ name: String,
        in directory: InodeNumber,
        _ flags: OpenFlags,
        mode: UInt32,
        by caller: CallerID
    ) async throws(FilesystemError) -> (Entry, HandleID) {
        try requireWritable()
        let parent = try findDirectory(directory)
        guard scratch.directory(of: parent) == nil else {
            return try await createScratch(name, in: parent, flags)
        }
        let key: String
        switch NameMeaning(name) {
        case .key(let name):
            guard !TemporaryName.isVimProbe(name, flags) else { throw .notPermitted }
            key = name
        case .value(let name): key = name
        case .ownValue: return try await createValue(of: parent, flags, by: caller)
        case .foreign: return try await createScratch(name, in: parent, flags)
        case .children, .stream, .reserved: throw .notPermitted
        }
        let path = try parent.path(ofChild: key)
        if TemporaryName.isMkstemp(name, flags, mode: mode) {
            guard try await statBeforeCreation(of: path, under: parent) != nil else {
                throw .exists
            }
            return try await createScratch(name, in: parent, flags)
        }
        if flags.contains(.exclusive) {
            let stat = try await makeKey(path, under: parent)
            noteChild(of: parent, named: key)
            return opened(key, name, of: parent, stat, flags, by: caller, createsOnWrite: false)
        }
        for _ in 0..<FilesystemLimits.transactionAttempts {
            // The key is made by the first write, or by closing; but a directory that is gone is
            // told now, where programs look for errors.
            if let stat = try await statBeforeCreation(of: path, under: parent) {
                try await tryWriting([], to: path)
                return opened(key, name, of: parent, stat, flags, by: caller, createsOnWrite: true)
            }
            do throws(FilesystemError) {
                return try await openMade(name, in: directory, flags, by: caller)
            } catch .noEntry, .stale {
                // And removed it again.
                continue
            }
        }
        throw .stale
    }

    /// Opens what somebody else has just made.
    private func openMade(
        _ name: String,
        in directory: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) async throws(FilesystemError) -> (Entry, HandleID) {
        let entry = try await lookup(name, in: directory, by: caller)
        guard entry.attributes.kind == .file else {
            forget(entry.attributes.inode, count: 1)
            throw .isDirectory
        }
        do throws(FilesystemError) {
            return (entry, try await open(entry.attributes.inode, flags, by: caller))
        } catch {
            forget(entry.attributes.inode, count: 1)
            throw error
        }
    }

    /// The value file of a directory that this mount made: it is there from its first write on.
    private func createValue(
        of node: KeyNode,
        _ flags: OpenFlags,
        by caller: CallerID
    ) async throws(FilesystemError) -> (Entry, HandleID) {
        let path = try node.path()
        let stat = try await reader.stat(of: path, node: node)
        guard stat.value.isEmpty || !flags.contains(.exclusive) else { throw .exists }
        try await askForWriting(path, stat)
        let handle = openFile(node, flags, by: caller, stat, createsOnWrite: false)
        node.createdBy = nil
        return (enterValue(stat, of: node, path), handle)
    }

    /// What a key will be that is not there, in a directory that must be.
    ///
    /// - Returns: nil if the key is there.
    private func statBeforeCreation(
        of path: XenstorePath,
        under parent: KeyNode
    ) async throws(FilesystemError) -> KeyStat? {
        let parentPath = try parent.path()
        let answers = await writer.access.send(
            [.getPermissions(parentPath), .read(path)],
            in: .none
        )
        do throws(XenstoreError) {
            guard let inherited = Permissions(payload: try answers[0].get()) else {
                throw .malformedReply
            }
            do throws(XenstoreError) {
                _ = try answers[1].get()
                return nil
            } catch .refused(.noEntry) {
                return KeyStat(empty: inherited)
            }
        } catch {
            throw FilesystemError(error, at: path)
        }
    }

    private func opened(
        _ key: String,
        _ name: String,
        of parent: KeyNode,
        _ stat: KeyStat,
        _ flags: OpenFlags,
        by caller: CallerID,
        createsOnWrite: Bool
    ) -> (Entry, HandleID) {
        let node = keys.insertNew(key, of: parent)
        dropRemoved(node)
        markExists(node)
        node.emptyKind = .file
        node.reportedKind = .file
        node.isStaleInKernel = false
        timestamps.made(node)
        node.addLookup(.file)
        let handle = openFile(node, flags, by: caller, stat, createsOnWrite: createsOnWrite)
        let entry = Entry(
            attributes: attributes(of: node, .file, stat),
            nameLifetime: changes.isWatching && name == key
                ? FilesystemLimits.nameLifetimeSeconds : 0
        )
        return (entry, handle)
    }

    public func makeDirectory(
        _ name: String,
        in directory: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> Entry {
        try requireWritable()
        let parent = try findDirectory(directory)
        guard scratch.directory(of: parent) == nil else { throw .notPermitted }
        let key: String
        let asked: FileKind?
        switch NameMeaning(name) {
        case .key(let name): (key, asked) = (name, nil)
        case .children(let name): (key, asked) = (name, .directory)
        case .foreign where name == ScratchDirectory.name:
            guard scratch.find(name, in: parent) == nil else { throw .exists }
            return try await makeScratchDirectory(in: parent)
        case .value, .ownValue, .stream, .foreign, .reserved: throw .notPermitted
        }
        guard scratch.find(name, in: parent) == nil else { throw .exists }
        let path = try parent.path(ofChild: key)
        var stat = try await makeKey(path, under: parent)
        noteChild(of: parent, named: key)
        // It is this mount's own change that it says.
        stat.version = changes.version
        let node = keys.insertNew(key, of: parent)
        dropRemoved(node)
        node.emptyKind = .directory
        node.isStickyDirectory = true
        node.createdBy = caller
        timestamps.made(node)
        return enter(key, of: parent, as: asked, stat, path)
    }

    /// Makes an empty key that must not exist, under a key that must: exclusive against every
    /// client of the store.
    private func makeKey(
        _ path: XenstorePath,
        under parent: KeyNode
    ) async throws(FilesystemError) -> KeyStat {
        let parentPath = try parent.path()
        return try await writer.transaction(at: path) {
            id async throws(XenstoreError) -> Outcome<KeyStat> in
            let answers = try await writer.send(
                [.read(parentPath), .read(path)],
                thenChanges: [.makeDirectory(path), .getPermissions(path)],
                in: id
            ) { answers throws(XenstoreError) in
                _ = try answers[0].get()
                switch answers[1] {
                case .failure(.refused(.noEntry)): return true
                case .failure(let error): throw error
                case .success: return false
                }
            }
            guard let answers else { return .fail(.exists) }
            _ = try answers[0].get()
            guard let permissions = Permissions(payload: try answers[1].get()) else {
                throw .malformedReply
            }
            var stat = KeyStat(empty: permissions)
            stat.names = []
            return .commit(stat)
        }
    }
}
