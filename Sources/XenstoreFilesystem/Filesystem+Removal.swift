import XenstoreProtocol

extension Filesystem {
    public func unlink(_ name: String, in directory: InodeNumber) async throws(FilesystemError) {
        try requireWritable()
        let parent = try findDirectory(directory)
        if let file = scratch.find(name, in: parent) {
            return unlinkScratch(file, in: parent)
        }
        guard scratch.directory(of: parent) == nil else { throw .noEntry }
        switch NameMeaning(name) {
        case .key(let key):
            try await remove(key, of: parent, .file)
        case .value(let key):
            try await emptyOrRemove(key, of: parent)
        case .ownValue:
            try await emptyValue(of: parent)
        case .children: throw .isDirectory
        case .stream: throw .notPermitted
        case .foreign where scratchEntry(name, in: parent) != nil: throw .isDirectory
        case .foreign, .reserved: throw .noEntry
        }
    }

    public func removeDirectory(_ name: String, in directory: InodeNumber)
        async throws(FilesystemError)
    {
        try requireWritable()
        let parent = try findDirectory(directory)
        guard scratch.find(name, in: parent) == nil else { throw .notDirectory }
        guard scratch.directory(of: parent) == nil else { throw .noEntry }
        switch NameMeaning(name) {
        case .key(let key), .children(let key):
            let node = keys.child(key, of: parent)
            try requireNoScratch(in: node)
            try await remove(key, of: parent, .directory)
            if name != key { notePlainNameKept(node) }
        case .value, .ownValue, .stream: throw .notDirectory
        case .foreign where name == ScratchDirectory.name:
            try removeScratchDirectory(in: parent)
        case .foreign, .reserved: throw .noEntry
        }
    }

    /// A directory that holds a file is not empty, whether the store knows the file or not.
    func requireNoScratch(in directory: KeyNode?) throws(FilesystemError) {
        if let directory, !scratch.names(in: directory).isEmpty { throw .notEmpty }
    }

    /// Removes a key that has no children, and as a directory no value: nothing that another
    /// client puts there at that moment is lost.
    private func remove(_ key: String, of parent: KeyNode, _ kind: FileKind)
        async throws(FilesystemError)
    {
        let path = try parent.path(ofChild: key)
        var value: [UInt8] = []
        var wasMade = true
        do throws(FilesystemError) {
            value = try await removeChildless(path, kind)
        } catch .noEntry where keys.child(key, of: parent)?.deferredCreateCount ?? 0 > 0 {
            // A file that is open for creation and was not written yet: it never will be.
            wasMade = false
        }
        if let node = keys.child(key, of: parent) {
            node.emptyKind = nil
            keepContent(value, of: node)
            keys.unlink(node)
        }
        noteChildTaken(from: parent, named: wasMade ? key : nil)
    }

    /// The kernel drops the name by which a key was removed. Where it comes with the plain one, it
    /// must look that up again.
    private func notePlainNameKept(_ removed: KeyNode?) {
        removed?.isStaleInKernel = false
    }

    /// - Returns: the value that the key had.
    private func removeChildless(
        _ path: XenstorePath,
        _ kind: FileKind
    ) async throws(FilesystemError) -> [UInt8] {
        try await writer.transaction(at: path) {
            id async throws(XenstoreError) -> Outcome<[UInt8]> in
            var value: [UInt8] = []
            var obstacle: FilesystemError?
            let answers = try await writer.send(
                [.read(path), .directory(path)],
                thenChanges: [.remove(path)],
                in: id
            ) { answers throws(XenstoreError) in
                value = try answers[0].get()
                let hasChildren = try KeyStat.hasChildren(answers[1])
                switch kind {
                case .file: obstacle = hasChildren ? .isDirectory : nil
                case .directory: obstacle = hasChildren || !value.isEmpty ? .notEmpty : nil
                }
                return obstacle == nil
            }
            guard let answers else { return .fail(obstacle ?? .inputOutput) }
            _ = try answers[0].get()
            return .commit(value)
        }
    }

    /// `KEY.value` of a key with children is its value alone; of one without, the key itself.
    private func emptyOrRemove(_ key: String, of parent: KeyNode) async throws(FilesystemError) {
        let node = keys.child(key, of: parent)
        do throws(FilesystemError) {
            try await remove(key, of: parent, .file)
            notePlainNameKept(node)
        } catch .isDirectory {
            try await emptyValue(at: parent.path(ofChild: key))
        }
    }

    private func emptyValue(of node: KeyNode) async throws(FilesystemError) {
        try await emptyValue(at: node.path())
        node.hasValue = false
    }

    /// A value is removed by making it empty; one that is empty is not there.
    private func emptyValue(at path: XenstorePath) async throws(FilesystemError) {
        try await writer.transaction(at: path) { id async throws(XenstoreError) -> Outcome<Void> in
            guard try await !writer.access.send(.read(path), in: id).isEmpty else {
                return .fail(.noEntry)
            }
            _ = try await writer.access.send(.write(path, value: []), in: id)
            return .commit(())
        }
    }

    /// This mount took a child from a directory.
    ///
    /// - Parameter name: of a key that was there and is no more.
    func noteChildTaken(from directory: KeyNode, named name: String?) {
        directory.hasChildren = nil
        directory.isStickyDirectory = true
        timestamps.changedList(of: directory, removing: name)
    }

    /// This mount gave a key a child. The kernel may hold it for a file, if it was reached by
    /// `KEY.dir`.
    ///
    /// - Parameter name: of a key that was not there before.
    func noteChild(of directory: KeyNode, named name: String?) {
        directory.hasChildren = nil
        timestamps.changedList(of: directory, adding: name)
        if directory.reportedKind == .file {
            directory.reportedKind = nil
            kernelCache.invalidateEntry(of: directory, .otherShape)
        }
    }
}
