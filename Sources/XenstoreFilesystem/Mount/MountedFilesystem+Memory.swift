/// What the store need not be asked.
extension MountedFilesystem {
    public func attributesFromMemory(
        of inode: InodeNumber,
        handle: HandleID?,
        by caller: CallerID
    ) throws(FilesystemError) -> Attributes? {
        if var attributes = try attributesOfControl(inode, by: caller) {
            if let handle, FilesystemID(of: handle) == .control,
                let file = try? files.find(handle.own)
            {
                attributes.size = file.content.count
            }
            return attributes
        }
        if inode == .root,
            connectedSince == nil || access.isSilent(for: FilesystemLimits.silence),
            let attributes = store.seenAttributesOfRoot
        {
            return attributes
        }
        let fsid = FilesystemID(of: inode)
        let known = try findTree(fsid).attributesFromMemory(
            of: inode.own,
            handle: handle?.own,
            by: caller
        )
        return known.map(fsid.outer)
    }

    public func extendedAttributeFromMemory(
        _ name: String,
        of inode: InodeNumber
    ) throws(FilesystemError) -> [UInt8]? {
        guard !isControl(inode) else { throw .noData }
        return try findTree(FilesystemID(of: inode)).extendedAttributeFromMemory(
            name,
            of: inode.own
        )
    }

    public func openFromMemory(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) throws(FilesystemError) -> HandleID? {
        guard !isControl(inode) else { return nil }
        let fsid = FilesystemID(of: inode)
        let handle = try findTree(fsid).openFromMemory(inode.own, flags, by: caller)
        return handle.map(fsid.outer)
    }

    public func releaseFromMemory(_ handle: HandleID) -> Bool {
        if FilesystemID(of: handle) == .control { closeControl(handle) }
        // What an ended transaction was still to be given is given up with it.
        return tree(FilesystemID(of: handle))?.releaseFromMemory(handle.own) ?? true
    }

    private func findTree(_ fsid: FilesystemID) throws(FilesystemError) -> any FilesystemOperations
    {
        fsid == .store ? store : try find(fsid).filesystem
    }
}
