/// What needs no answer of the store, as most calls of a program that goes through many files. Nil,
/// or false, where the store must be asked.
extension Filesystem {
    public func attributesFromMemory(
        of inode: InodeNumber,
        handle: HandleID?,
        by caller: CallerID
    ) throws(FilesystemError) -> Attributes? {
        kernelCache.acknowledge(caller)
        kernelCache.retries.askedForAttributes(caller)
        if !keys.mayHave(inode) {
            if let file = scratch.find(inode) { return attributes(of: file) }
            if let made = scratch.directory(inode) { return attributes(of: made) }
            if let file = streams.find(inode) {
                return streams.isShared(file) ? nil : streams.attributes(of: file)
            }
        }
        let (node, kind) = try find(inode)
        guard !node.isUnlinked, kind == .file || !isToPrepareForWatch(node, by: caller),
            kind == .directory || node.handleCount == 0 || !kernelCache.sizes.isPending(node),
            let stat = try reader.statFromMemory(of: node, kind, for: caller)?.stat
        else { return nil }
        let use = nameUse(node, kind, by: caller)
        let attributes = try attributes(of: node, kind, checked: stat, use)
        if kind == .file { showSize(of: stat, node) }
        let shown = sizeAsRead(attributes, of: node, handle, for: caller)
        guard shown.size == attributes.size else { return shown }
        return kernelCache.lease(shown, of: node, askedFor: inode, asOf: stat.version, to: caller)
    }

    public func openFromMemory(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) throws(FilesystemError) -> HandleID? {
        kernelCache.acknowledge(caller)
        guard !flags.contains(.write), keys.mayHave(inode) else { return nil }
        let (node, kind) = try find(inode)
        guard kind == .file else { throw .isDirectory }
        if node.inode(kind) == inode, let handle = openLeased(node) { return handle }
        guard !kernelCache.sizes.isPending(node),
            let answer = try reader.statFromMemory(of: node, kind, for: caller, isOpening: true)
        else { return nil }
        return try openToRead(node, flags, answer, by: caller)
    }

    public func releaseFromMemory(_ handle: HandleID) -> Bool {
        if case .key(let file) = try? files.find(handle), file.pending != .nothing { return false }
        reader.close(handle)
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
