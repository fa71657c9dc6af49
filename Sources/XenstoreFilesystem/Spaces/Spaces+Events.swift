/// The poker and the streams: both are of the store alone.
extension Spaces {
    public func lookupForPoker(
        _ name: String,
        in directory: InodeNumber
    ) async throws(FilesystemError) -> Entry {
        try await store.lookupForPoker(name, in: directory)
    }

    public func createForPoker(
        _ name: String,
        in directory: InodeNumber
    ) throws(FilesystemError) -> Entry {
        try store.createForPoker(name, in: directory)
    }

    public func removeForPoker(
        _ name: String,
        in directory: InodeNumber
    ) async throws(FilesystemError) {
        try await store.removeForPoker(name, in: directory)
    }

    public func openForPoker(_ inode: InodeNumber) throws(FilesystemError) -> HandleID {
        try store.openForPoker(inode)
    }

    public func touchForPoker(_ inode: InodeNumber) async throws(FilesystemError) -> Attributes {
        try await store.touchForPoker(inode)
    }

    public func pokerHasCome() { store.pokerHasCome() }

    public func pokerIsDone() { store.pokerIsDone() }

    public func pokerHasStarted() { store.pokerHasStarted() }

    public func pokerHasEnded() { store.pokerHasEnded() }

    public func isStream(_ handle: HandleID) -> Bool {
        guard SpaceID(of: handle) == .control else { return store.isStream(handle) }
        guard let file = try? files.find(handle.own) else { return false }
        return file.takesCommands || file.lines != nil
    }

    public func isReadable(_ handle: HandleID) -> Bool {
        guard SpaceID(of: handle) == .control else { return store.isReadable(handle) }
        return (try? files.find(handle.own))?.lines?.isReadable ?? true
    }

    public func isLog(_ handle: HandleID) -> Bool {
        SpaceID(of: handle) == .control && (try? files.find(handle.own))?.lines != nil
    }

    public func readStream(
        _ handle: HandleID,
        count: Int,
        waits: Bool
    ) async throws(FilesystemError) -> ArraySlice<UInt8> {
        guard SpaceID(of: handle) == .control else {
            return try await store.readStream(handle, count: count, waits: waits)
        }
        let file = try files.find(handle.own)
        guard let lines = file.lines else { return file.take(count) }
        return try await lines.read(count, waits: waits)
    }

    public func limitStream(
        _ handle: HandleID,
        to userID: UInt32,
        isInGroup: (_ groupID: UInt32) -> Bool
    ) {
        // All that lead anywhere else are the mounting user's own.
        guard SpaceID(of: handle) == .store else { return }
        store.limitStream(handle, to: userID, isInGroup: isInGroup)
    }

    public func endStreams() {
        store.endStreams()
        for handle in files.ids(where: { $0.lines != nil }) {
            (try? files.find(handle))?.lines?.end()
            environment.readable(SpaceID.control.outer(handle))
        }
    }
}
