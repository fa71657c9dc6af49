extension MountedFilesystem {
    // MARK: Names

    public func lookup(
        _ name: String,
        in directory: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> Entry {
        if directory == Control.directory.inode, name == Control.statusName {
            renewStatus()
        }
        if let entry = try lookupControl(name, in: directory) { return entry }
        return try await route(directory) { tree, directory, fsid throws(FilesystemError) in
            fsid.outer(try await tree.lookup(name, in: directory, by: caller))
        }
    }

    public func forget(_ inode: InodeNumber, count: UInt64) {
        tree(FilesystemID(of: inode))?.forget(inode.own, count: count)
    }

    public func knownDirectory(_ name: String, in directory: InodeNumber) -> InodeNumber? {
        let fsid = FilesystemID(of: directory)
        return tree(fsid)?.knownDirectory(name, in: directory.own).map(fsid.outer)
    }

    public func makeDirectory(
        _ name: String,
        in directory: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> Entry {
        if directory == Control.transactions.inode { return try await beginTransaction(name) }
        try refuseControl(directory)
        return try await route(directory) { tree, directory, fsid throws(FilesystemError) in
            fsid.outer(try await tree.makeDirectory(name, in: directory, by: caller))
        }
    }

    public func unlink(_ name: String, in directory: InodeNumber) async throws(FilesystemError) {
        try refuseControl(directory)
        try await route(directory) { tree, directory, _ throws(FilesystemError) in
            try await tree.unlink(name, in: directory)
        }
    }

    public func removeDirectory(
        _ name: String,
        in directory: InodeNumber
    ) async throws(FilesystemError) {
        if directory == Control.transactions.inode { return try await abortTransaction(name) }
        try refuseControl(directory)
        try await route(directory) { tree, directory, _ throws(FilesystemError) in
            try await tree.removeDirectory(name, in: directory)
        }
    }

    public func rename(
        _ name: String,
        in directory: InodeNumber,
        to newName: String,
        in newDirectory: InodeNumber,
        _ mode: RenameMode,
        by caller: CallerID
    ) async throws(FilesystemError) {
        // mv(1) copies then.
        guard FilesystemID(of: directory) == FilesystemID(of: newDirectory) else {
            throw .crossDevice
        }
        if directory == Control.transactions.inode, newDirectory == directory {
            return try await renameTransaction(name, to: newName, mode, by: caller)
        }
        try refuseControl(directory)
        try await route(directory) { tree, directory, _ throws(FilesystemError) in
            try await tree.rename(
                name,
                in: directory,
                to: newName,
                in: newDirectory.own,
                mode,
                by: caller
            )
        }
    }

    // MARK: Attributes

    public func attributesFromStore(
        of inode: InodeNumber,
        handle: HandleID?,
        by caller: CallerID
    ) async throws(FilesystemError) -> Attributes {
        try await route(inode) { tree, inode, fsid throws(FilesystemError) in
            fsid.outer(
                try await tree.attributesFromStore(of: inode, handle: handle?.own, by: caller)
            )
        }
    }

    public func requireAccess(
        _ rights: AccessRights,
        to inode: InodeNumber
    ) async throws(FilesystemError) {
        if let attributes = try attributesOfControl(inode, by: .nobody) {
            return try rights.require(ofOwnerIn: attributes.mode)
        }
        try await route(inode) { tree, inode, _ throws(FilesystemError) in
            try await tree.requireAccess(rights, to: inode)
        }
    }

    public func setAttributes(
        _ changes: AttributeChanges,
        of inode: InodeNumber,
        handle: HandleID?
    ) async throws(FilesystemError) -> Attributes {
        try refuseControl(inode)
        return try await route(inode) { tree, inode, fsid throws(FilesystemError) in
            fsid.outer(try await tree.setAttributes(changes, of: inode, handle: handle?.own))
        }
    }

    public func extendedAttributeFromStore(_ name: String, of inode: InodeNumber)
        async throws(FilesystemError) -> [UInt8]
    {
        try await route(inode) { tree, inode, _ throws(FilesystemError) in
            try await tree.extendedAttributeFromStore(name, of: inode)
        }
    }

    public func setExtendedAttribute(
        _ name: String,
        to value: [UInt8],
        of inode: InodeNumber,
        _ mode: ExtendedAttributeMode
    ) async throws(FilesystemError) {
        try refuseControl(inode)
        try await route(inode) { tree, inode, _ throws(FilesystemError) in
            try await tree.setExtendedAttribute(name, to: value, of: inode, mode)
        }
    }

    public func removeExtendedAttribute(_ name: String, of inode: InodeNumber)
        async throws(FilesystemError)
    {
        try refuseControl(inode)
        try await route(inode) { tree, inode, _ throws(FilesystemError) in
            try await tree.removeExtendedAttribute(name, of: inode)
        }
    }

    public func extendedAttributeNames(of inode: InodeNumber)
        async throws(FilesystemError) -> [String]
    {
        guard !isControl(inode) else { return [] }
        return try await route(inode) { tree, inode, _ throws(FilesystemError) in
            try await tree.extendedAttributeNames(of: inode)
        }
    }

    // MARK: Open files

    public func openFromStore(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) async throws(FilesystemError) -> HandleID {
        if isControl(inode) { return try openControl(inode, flags) }
        return try await route(inode) { tree, inode, fsid throws(FilesystemError) in
            fsid.outer(try await tree.openFromStore(inode, flags, by: caller))
        }
    }

    public func create(
        _ name: String,
        in directory: InodeNumber,
        _ flags: OpenFlags,
        mode: UInt32,
        by caller: CallerID
    ) async throws(FilesystemError) -> (Entry, HandleID) {
        try refuseControl(directory)
        return try await route(directory) { tree, directory, fsid throws(FilesystemError) in
            let (entry, handle) = try await tree.create(
                name,
                in: directory,
                flags,
                mode: mode,
                by: caller
            )
            return (fsid.outer(entry), fsid.outer(handle))
        }
    }

    public func willCache(_ handle: HandleID) {
        switch FilesystemID(of: handle) {
        case .store: store.willCache(handle)
        case .control: break
        case let fsid: (try? find(fsid))?.filesystem.willCache(handle.own)
        }
    }

    public func read(_ handle: HandleID, offset: Int, count: Int) throws(FilesystemError)
        -> ArraySlice<UInt8>
    {
        switch FilesystemID(of: handle) {
        case .store: return try store.read(handle, offset: offset, count: count)
        case .control: return try files.find(handle.own).content.part(offset: offset, count: count)
        case let fsid:
            return try find(fsid).filesystem.read(handle.own, offset: offset, count: count)
        }
    }

    public func invalidationBarrier() async {
        await store.invalidationBarrier()
    }

    // Only the store's own tree lets the kernel keep anything.

    public func caching(of handle: HandleID) -> Caching {
        FilesystemID(of: handle) == .store ? store.caching(of: handle) : .none
    }

    public func listingCaching(of handle: HandleID) -> Caching {
        FilesystemID(of: handle) == .store ? store.listingCaching(of: handle) : .none
    }

    public func fileToAsk(_ handle: HandleID, offset: Int) -> InodeNumber? {
        FilesystemID(of: handle) == .store ? store.fileToAsk(handle, offset: offset) : nil
    }

    public func readAsking(
        _ handle: HandleID,
        offset: Int,
        count: Int,
        by caller: CallerID
    ) async throws(FilesystemError) -> ArraySlice<UInt8> {
        try await store.readAsking(handle, offset: offset, count: count, by: caller)
    }

    public func write(
        _ bytes: [UInt8],
        to handle: HandleID,
        offset: Int
    ) async throws(FilesystemError) {
        guard FilesystemID(of: handle) != .control else { return try await command(bytes, handle) }
        try await route(handle) { tree, handle, _ throws(FilesystemError) in
            try await tree.write(bytes, to: handle, offset: offset)
        }
    }

    public func isClean(_ handle: HandleID) -> Bool {
        tree(FilesystemID(of: handle))?.isClean(handle.own) ?? true
    }

    public func flush(_ handle: HandleID) async throws(FilesystemError) {
        guard FilesystemID(of: handle) != .control else { return }
        try await route(handle) { tree, handle, _ throws(FilesystemError) in
            try await tree.flush(handle)
        }
    }

    public func releaseToStore(_ handle: HandleID) async {
        await tree(FilesystemID(of: handle))?.releaseToStore(handle.own)
    }

    // MARK: Directories

    public func openDirectory(
        _ inode: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> HandleID {
        if isControl(inode) { return try openControlDirectory(inode) }
        return try await route(inode) { tree, inode, fsid throws(FilesystemError) in
            fsid.outer(try await tree.openDirectory(inode, by: caller))
        }
    }

    public func list(
        _ handle: HandleID,
        offset: Int,
        fits: (_ name: String) -> Bool
    ) async throws(FilesystemError) -> [DirectoryEntry] {
        if FilesystemID(of: handle) == .control {
            return Array(
                try directories.find(handle.own).dropFirst(offset).prefix { fits($0.name) }
            )
        }
        return try await route(handle) { tree, handle, fsid throws(FilesystemError) in
            try await tree.list(handle, offset: offset, fits: fits).map(fsid.outer)
        }
    }

    public func releaseDirectory(_ handle: HandleID) {
        if FilesystemID(of: handle) == .control { _ = directories.remove(handle.own) }
        tree(FilesystemID(of: handle))?.releaseDirectory(handle.own)
    }
}
