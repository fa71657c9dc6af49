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
    ) async throws(FilesystemError) -> Entry {
        try await store.createForAgent(name, in: directory)
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
        guard let file = try? files.find(handle.own) else { return false }
        return file.takesCommands || file.lines != nil
    }

    public func isReadable(_ handle: HandleID) -> Bool {
        guard FilesystemID(of: handle) == .control else { return store.isReadable(handle) }
        return (try? files.find(handle.own))?.lines?.isReadable ?? true
    }

    public func isLog(_ handle: HandleID) -> Bool {
        FilesystemID(of: handle) == .control && (try? files.find(handle.own))?.lines != nil
    }

    public func readStream(
        _ handle: HandleID,
        count: Int,
        waits: Bool
    ) async throws(FilesystemError) -> ArraySlice<UInt8> {
        guard FilesystemID(of: handle) == .control else {
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
        guard FilesystemID(of: handle) == .store else { return }
        store.limitStream(handle, to: userID, isInGroup: isInGroup)
    }

    public func endStreams() {
        store.endStreams()
        for handle in files.ids(where: { $0.lines != nil }) {
            (try? files.find(handle))?.lines?.end()
            environment.readable(FilesystemID.control.outer(handle))
        }
    }
}
