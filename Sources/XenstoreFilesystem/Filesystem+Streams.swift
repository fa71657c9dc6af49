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
        guard let file = streams.find(entry.attributes.inode), isShared(file) else { return entry }
        do throws(FilesystemError) {
            entry.attributes = try await attributesOfShared(file)
            return entry
        } catch {
            forget(file.inode, count: 1)
            throw error
        }
    }

    /// The answer to a name that leads to the stream of a path, with a reference.
    func entry(ofStream path: XenstorePath) -> Entry {
        let file = streams.make(path)
        file.lookups += 1
        return Entry(attributes: attributes(of: file), nameLifetime: 0)
    }

    /// Where nobody else is let in, no mode counts.
    func attributes(of file: StreamFile) -> Attributes {
        Attributes(
            inode: file.inode,
            kind: .file,
            mode: (file.path.isSpecial ? 0o400 : 0o444) & ~options.umask,
            userID: userID(of: Permissions(owner: .privileged)),
            groupID: options.groupID,
            size: 0,
            modified: environment.now(),
            changed: environment.now()
        )
    }

    /// Opens a stream: it tells of what comes from now on.
    ///
    /// - Throws: ``FilesystemError/noSpace`` where ``FilesystemLimits/streams`` are open,
    ///   ``FilesystemError/notSupported`` where the store refuses the watch that it needs.
    func openStream(
        _ file: StreamFile,
        _ flags: OpenFlags
    ) async throws(FilesystemError) -> HandleID {
        guard !flags.contains(.write) else { throw .notPermitted }
        guard changes.isWatching else { throw .notSupported }
        if file.path.isSpecial { try await watch(file.path) } else { await takeEvents(file.path) }
        guard changes.isWatching else { throw .notSupported }
        guard streams.open.count < FilesystemLimits.streams else { throw .noSpace }
        let stream = OpenStream(file)
        let handle = files.insert(.stream(stream))
        streams.opened(stream, handle)
        return handle
    }

    /// Waits for the events of what was changed before: a store may send them after the answer to
    /// the change, but not after the answer to a later request.
    private func takeEvents(_ path: XenstorePath) async {
        // Whether there is such a key does not matter.
        _ = try? await reader.access.send(.read(path), in: .none)
        // Those of a store in this process wait to be taken.
        _ = environment.takeEvents()
    }

    /// Sets the watch of a special path, once a connection.
    private func watch(_ path: XenstorePath) async throws(FilesystemError) {
        guard specialWatches.insert(path).inserted else { return }
        firstEvents.insert(path)
        do throws(XenstoreError) {
            _ = try await reader.access.send(.watch(path, token: watchToken), in: .none)
        } catch {
            firstEvents.remove(path)
            specialWatches.remove(path)
            throw FilesystemError(error, at: path)
        }
    }

    public func isStream(_ handle: HandleID) -> Bool { streams.open[handle] != nil }

    public func isReadable(_ handle: HandleID) -> Bool {
        streams.open[handle]?.lines.isReadable ?? true
    }

    public func readStream(
        _ handle: HandleID,
        count: Int,
        waits: Bool
    ) async throws(FilesystemError) -> ArraySlice<UInt8> {
        guard case .stream(let stream) = try files.find(handle) else { throw .badHandle }
        return try await stream.lines.read(count, waits: waits)
    }

    public func endStreams() {
        for (handle, stream) in streams.open {
            stream.lines.end()
            environment.readable(handle)
        }
    }

    // MARK: What has come

    /// Tells the streams of a change.
    func tellStreams(_ path: XenstorePath) {
        guard firstEvents.remove(path) == nil else { return }
        for (handle, stream) in streams.open {
            if stream.path.contains(path) {
                stream.mayExist = true
                tell(path, to: stream, handle)
            } else if path.contains(stream.path) {
                stream.dropRights(from: path)
                if stream.mayExist { tellIfGone(handle, stream) }
            }
        }
    }

    /// What is above a stream's key has changed, and may have taken the key with it.
    private func tellIfGone(_ handle: HandleID, _ stream: OpenStream) {
        environment.start { [self] in
            do throws(XenstoreError) {
                _ = try await reader.access.permissions(of: stream.path)
            } catch .refused(.noEntry) {
                guard stream.mayExist else { return }
                stream.mayExist = false
                tell(stream.path, to: stream, handle)
            } catch {
                // It is there, but not for us to read; or the connection is lost.
            }
        }
    }

    /// Changes may have been missed: the connection was lost.
    func tellStreamsOfMissing() {
        for (handle, stream) in streams.open {
            stream.lines.miss()
            environment.readable(handle)
        }
    }

    /// Sets the watches of special paths again on a new connection.
    func watchSpecialPathsAgain() async {
        let paths = Set(streams.open.values.map(\.path).filter(\.isSpecial))
        specialWatches = []
        for path in paths {
            do throws(FilesystemError) {
                try await watch(path)
            } catch {
                environment.report("the store refused a watch of \(path): \(error)")
            }
        }
    }
}
