/// What needs no answer of the store, as most calls of a program that goes through many files. Nil,
/// or false, where the store must be asked.
extension Filesystem {
    public func attributesFromMemory(
        of inode: InodeNumber,
        by caller: CallerID
    ) throws(FilesystemError) -> Attributes? {
        hasTaken(caller)
        if let file = scratch.find(inode) { return attributes(of: file) }
        if let made = scratch.directory(inode) { return attributes(of: made) }
        if let file = streams.find(inode) { return attributes(of: file) }
        let (node, view) = try find(inode)
        guard !node.isDetached, view == .file || !isToPrepareForWatch(node, by: caller),
            let facts = try factsFromMemory(of: node, view, for: caller)
        else { return nil }
        let told = try attributes(of: node, view, checked: facts)
        return lease(told, of: node, toldFor: inode, asOf: facts.serial, to: caller)
    }

    public func openFromMemory(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) throws(FilesystemError) -> HandleID? {
        hasTaken(caller)
        guard !flags.contains(.write), scratch.find(inode) == nil, streams.find(inode) == nil else {
            return nil
        }
        let (node, view) = try find(inode)
        guard view == .file else { throw .isDirectory }
        if node.inode(view) == inode, let handle = openLeased(node) { return handle }
        let facts = try factsFromMemory(of: node, view, for: caller, isOpening: true)
        return try facts.map { facts throws(FilesystemError) in
            try openToRead(node, flags, facts, asOf: changes.serial, ownChanges, by: caller)
        }
    }

    public func releaseFromMemory(_ handle: HandleID) -> Bool {
        if case .key(let file) = try? files.find(handle), file.pending != .nothing { return false }
        lastAnswers.close(handle)
        switch files.remove(handle) {
        case .key(let file): end(file)
        case .scratch(let open):
            if let key = scratch.removeHandle(open.file) { keys.dropUnused(key) }
        case .leased(let node):
            node.handleCount -= 1
            keys.dropUnused(node)
        case .stream: streams.closed(handle)
        case nil: break
        }
        return true
    }
}
