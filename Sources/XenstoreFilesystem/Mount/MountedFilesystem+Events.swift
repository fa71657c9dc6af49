/// The agent and the streams: both are of the store alone.
extension MountedFilesystem {
    public func lookupForAgent(
        _ name: String,
        in directory: InodeNumber
    ) async throws(FilesystemError) -> Entry {
        try await store.lookupForAgent(name, in: directory)
    }

    public func createForAgent(
        _ name: String,
        in directory: InodeNumber
    ) throws(FilesystemError) -> Entry {
        try store.createForAgent(name, in: directory)
    }

    public func removeForAgent(
        _ name: String,
        in directory: InodeNumber
    ) async throws(FilesystemError) {
        try await store.removeForAgent(name, in: directory)
    }

    public func openForAgent(_ inode: InodeNumber) throws(FilesystemError) -> HandleID {
        try store.openForAgent(inode)
    }

    public func touchForAgent(_ inode: InodeNumber) async throws(FilesystemError) -> Attributes {
        try await store.touchForAgent(inode)
    }

    public func agentHasCalled() { store.agentHasCalled() }

    public func agentIsDone() { store.agentIsDone() }

    public func agentHasStarted() { store.agentHasStarted() }

    public func agentHasEnded() { store.agentHasEnded() }

    public func isStream(_ handle: HandleID) -> Bool {
        guard FilesystemID(of: handle) == .control else { return store.isStream(handle) }
        return (try? files.find(handle.own))?.takesCommands ?? false
    }

    public func isReadable(_ handle: HandleID) -> Bool { store.isReadable(handle) }

    public func readStream(
        _ handle: HandleID,
        count: Int,
        waits: Bool
    ) async throws(FilesystemError) -> ArraySlice<UInt8> {
        guard FilesystemID(of: handle) == .control else {
            return try await store.readStream(handle, count: count, waits: waits)
        }
        return try files.find(handle.own).take(count)
    }

    public func limitStream(
        _ handle: HandleID,
        to userID: UInt32,
        isInGroup: (_ groupID: UInt32) -> Bool
    ) {
        // All that lead anywhere else are the mounting user's own.
        guard FilesystemID(of: handle) == .store else { return }
        store.limitStream(handle, to: userID, isInGroup: isInGroup)
    }

    public func endStreams() { store.endStreams() }
}
