/// What the store need not be asked.
extension Spaces {
    public func attributesFromMemory(
        of inode: InodeNumber,
        handle: HandleID?,
        by caller: CallerID
    ) throws(FilesystemError) -> Attributes? {
        if var attributes = try attributesOfControl(inode, by: caller) {
            if let handle, SpaceID(of: handle) == .control, let file = try? files.find(handle.own) {
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
        let space = SpaceID(of: inode)
        let known = try findTree(space).attributesFromMemory(
            of: inode.own,
            handle: handle?.own,
            by: caller
        )
        return known.map(space.outer)
    }

    public func extendedAttributeFromMemory(
        _ name: String,
        of inode: InodeNumber
    ) throws(FilesystemError) -> [UInt8]? {
        guard !isControl(inode) else { throw .noData }
        return try findTree(SpaceID(of: inode)).extendedAttributeFromMemory(name, of: inode.own)
    }

    public func openFromMemory(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) throws(FilesystemError) -> HandleID? {
        guard !isControl(inode) else { return nil }
        let space = SpaceID(of: inode)
        let handle = try findTree(space).openFromMemory(inode.own, flags, by: caller)
        return handle.map(space.outer)
    }

    public func releaseFromMemory(_ handle: HandleID) -> Bool {
        if SpaceID(of: handle) == .control { closeControl(handle) }
        // What an ended transaction was still to be given is given up with it.
        return tree(SpaceID(of: handle))?.releaseFromMemory(handle.own) ?? true
    }

    private func findTree(_ space: SpaceID) throws(FilesystemError) -> any FilesystemOperations {
        space == .store ? store : try find(space).filesystem
    }
}
