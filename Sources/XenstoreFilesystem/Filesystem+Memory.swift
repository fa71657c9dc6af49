/// What needs no answer of the store, as most calls of a program that goes through many files. Nil,
/// or false, where the store must be asked.
extension Filesystem {
    public func attributesFromMemory(
        of inode: InodeNumber,
        handle: HandleID?,
        by caller: CallerID
    ) throws(FilesystemError) -> Attributes? {
        hasTaken(caller)
        if isRetrying {
            interruptedReads[caller] = nil
            openRetries.remove(caller)
        }
        if !keys.mayHave(inode) {
            if let file = scratch.find(inode) { return attributes(of: file) }
            if let made = scratch.directory(inode) { return attributes(of: made) }
            if let file = streams.find(inode) {
                return isShared(file) ? nil : attributes(of: file)
            }
        }
        let (node, view) = try find(inode)
        guard !node.isDetached, view == .file || !isToPrepareForWatch(node, by: caller),
            let facts = try factsFromMemory(of: node, view, for: caller)
        else { return nil }
        let use = nameUse(node, view, by: caller)
        let attributes = try attributes(of: node, view, checked: facts, use)
        if view == .file { showSize(of: facts, node) }
        let shown = sizeAsRead(attributes, of: node, handle, for: caller)
        guard shown.size == attributes.size else { return shown }
        return lease(shown, of: node, toldFor: inode, asOf: facts.serial, to: caller)
    }

    public func openFromMemory(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) throws(FilesystemError) -> HandleID? {
        hasTaken(caller)
        guard !flags.contains(.write), keys.mayHave(inode) else { return nil }
        let (node, view) = try find(inode)
        guard view == .file else { throw .isDirectory }
        if node.inode(view) == inode, let handle = openLeased(node) { return handle }
        guard let facts = try factsFromMemory(of: node, view, for: caller, isOpening: true),
            !isResizing(node, facts)
        else { return nil }
        return try openToRead(node, flags, facts, asOf: changes.serial, ownChanges, by: caller)
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
