import XenstoreProtocol

/// Changes as lines of files: `.watch` in a directory, `KEY.watch` beside a key.
extension Filesystem {
    /// The answer to the name of a stream. The key need not exist.
    ///
    /// - Parameter key: the name of a key in the directory; nil for the directory's own.
    func lookupStream(_ key: String?, of parent: KeyNode) async throws(FilesystemError) -> Entry {
        let path: XenstorePath
        if let key {
            path = try parent.path(ofChild: key)
        } else {
            path = try parent.path()
        }
        var entry = entry(ofStream: path)
        guard let file = streams.find(entry.attributes.inode), streams.isShared(file) else {
            return entry
        }
        do throws(FilesystemError) {
            entry.attributes = try await streams.attributesOfShared(file)
            return entry
        } catch {
            forget(file.inode, count: 1)
            throw error
        }
    }

    /// The answer to a name that leads to the stream of a path, with a reference.
    func entry(ofStream path: XenstorePath) -> Entry {
        let file = streams.make(path)
        streams.addLookup(file)
        return Entry(attributes: streams.attributes(of: file), nameLifetime: 0)
    }

    func openStream(
        _ file: StreamFile,
        _ flags: OpenFlags
    ) async throws(FilesystemError) -> HandleID {
        guard !flags.contains(.write) else { throw .notPermitted }
        let stream = try await streams.open(file)
        let handle = files.insert(.stream(stream))
        streams.opened(stream, handle)
        return handle
    }

    public func isStream(_ handle: HandleID) -> Bool { streams.isOpen(handle) }

    public func isReadable(_ handle: HandleID) -> Bool { streams.isReadable(handle) }

    public func limitStream(
        _ handle: HandleID,
        to userID: UInt32,
        isInGroup: (_ groupID: UInt32) -> Bool
    ) {
        streams.limit(handle, to: userID, isInGroup: isInGroup)
    }

    public func readStream(
        _ handle: HandleID,
        count: Int,
        waits: Bool
    ) async throws(FilesystemError) -> ArraySlice<UInt8> {
        guard case .stream(let stream) = try files.find(handle) else { throw .badHandle }
        return try await stream.lines.read(count, waits: waits)
    }

    public func endStreams() { streams.end() }
}
