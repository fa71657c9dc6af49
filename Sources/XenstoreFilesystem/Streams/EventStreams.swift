import XenstoreProtocol

/// A file that tells of changes as they come, a path a line.
final class StreamFile {
    let inode: InodeNumber
    /// Changes at and below this key are told, or those of a special path.
    let path: XenstorePath
    /// References that the kernel holds.
    fileprivate(set) var lookups: UInt64 = 0
    /// How the directories above the key were last shown, where other users are let in.
    fileprivate(set) var rights: [XenstorePath: ShownRights] = [:]

    init(inode: InodeNumber, path: XenstorePath) {
        self.inode = inode
        self.path = path
    }
}

/// Changes as lines of files, `.watch` in a directory and `KEY.watch` beside a key: those that the
/// kernel knows, by number and by path, and those that are open.
///
/// Who may read what of a stream: where other users are let in, the kernel checks by its mode who
/// may open one. But a stream says what happens below its key, too, and the kernel knows nothing of
/// that: so each line is checked here, by the modes that the mount shows.
final class EventStreams<Access: XenstoreAccess> {
    private let access: Access
    private let changes: ChangeLog
    private let options: FilesystemOptions
    private let environment: FilesystemEnvironment
    let watches: StoreWatches<Access>
    /// Keys and scratch files have smaller numbers.
    private let firstInode: UInt64
    private var next: UInt64
    private var byInode: [InodeNumber: StreamFile] = [:]
    private var byPath: [XenstorePath: StreamFile] = [:]
    private var open: [HandleID: OpenStream] = [:]

    init(
        of filesystem: FilesystemID,
        over access: Access,
        _ watches: StoreWatches<Access>,
        _ changes: ChangeLog,
        _ options: FilesystemOptions,
        _ environment: FilesystemEnvironment
    ) {
        self.access = access
        self.changes = changes
        self.options = options
        self.environment = environment
        self.watches = watches
        firstInode = filesystem.firstStream
        next = firstInode
    }

    // MARK: Files

    func find(_ inode: InodeNumber) -> StreamFile? {
        inode.rawValue < firstInode ? nil : byInode[inode]
    }

    /// The stream of a path, known from now on until the kernel forgets it.
    func make(_ path: XenstorePath) -> StreamFile {
        if let known = byPath[path] { return known }
        let file = StreamFile(inode: InodeNumber(rawValue: next), path: path)
        next += 1
        byInode[file.inode] = file
        byPath[path] = file
        return file
    }

    /// - Returns: whether it is a stream that was meant.
    func forget(_ inode: InodeNumber, count: UInt64) -> Bool {
        guard let file = find(inode) else { return false }
        file.lookups -= min(count, file.lookups)
        if file.lookups == 0 {
            byInode[inode] = nil
            byPath[file.path] = nil
        }
        return true
    }

    /// A reference for the kernel.
    func addLookup(_ file: StreamFile) { file.lookups += 1 }

    /// Where nobody else is let in, no mode counts.
    func attributes(of file: StreamFile) -> Attributes {
        Attributes(
            inode: file.inode,
            kind: .file,
            mode: (file.path.isSpecial ? 0o400 : 0o444) & ~options.umask,
            userID: options.userID(of: Permissions(owner: .privileged)),
            groupID: options.groupID,
            size: 0,
            modified: environment.now(),
            changed: environment.now()
        )
    }

    /// Whether others than the user who mounts may open a stream, if its key lets them.
    func isShared(_ file: StreamFile) -> Bool {
        options.letsOthersIn && changes.isWatching && !file.path.isSpecial
    }

    /// The attributes of a stream: who may read its key may read the stream. A key that is not
    /// there has those of the closest that is, as the store gives them to one that is made.
    func attributesOfShared(_ file: StreamFile) async throws(FilesystemError) -> Attributes {
        let above = directories(above: file.path)
        let answers = await rights(of: [file.path] + above)
        file.rights.merge(answers) { $1 }
        guard let own = ([file.path] + above).lazy.compactMap({ answers[$0] }).first else {
            throw .noEntry
        }
        var attributes = attributes(of: file)
        attributes.mode = own.mode & 0o444
        attributes.userID = own.userID
        return attributes
    }

    // MARK: Opening

    /// Opens a stream: it tells of what comes from now on.
    ///
    /// - Throws: ``FilesystemError/noSpace`` where ``FilesystemLimits/streams`` are open,
    ///   ``FilesystemError/notSupported`` where the store refuses the watch that it needs.
    func open(_ file: StreamFile) async throws(FilesystemError) -> OpenStream {
        guard changes.isWatching else { throw .notSupported }
        if file.path.isSpecial { try await watch(file.path) } else { await takeEvents(file.path) }
        guard changes.isWatching else { throw .notSupported }
        guard open.count < FilesystemLimits.streams else { throw .noSpace }
        return OpenStream(file)
    }

    /// The stream has this handle now.
    func opened(_ stream: OpenStream, _ handle: HandleID) { open[handle] = stream }

    func closed(_ handle: HandleID) { open.removeValue(forKey: handle)?.lines.end() }

    /// Whether any is open.
    var isAnyOpen: Bool { !open.isEmpty }

    func isOpen(_ handle: HandleID) -> Bool { open[handle] != nil }

    /// Whether a read of the handle returns at once.
    func isReadable(_ handle: HandleID) -> Bool { open[handle]?.lines.isReadable ?? true }

    /// Limits an open stream to what a user may see of the mount by itself.
    ///
    /// - Parameter isInGroup: whether the user is in a group.
    func limit(_ handle: HandleID, to userID: UInt32, isInGroup: (_ groupID: UInt32) -> Bool) {
        guard options.letsOthersIn, userID != 0, let stream = open[handle] else { return }
        stream.reader = StreamReader(userID: userID, isInGroup: isInGroup(options.groupID))
    }

    /// Waits for the events of what was changed before: a store may send them after the answer to
    /// the change, but not after the answer to a later request.
    private func takeEvents(_ path: XenstorePath) async {
        // Whether there is such a key does not matter.
        _ = try? await access.send(.read(path), in: .none)
        // Those of a store in this process wait to be taken.
        _ = environment.takeEvents()
    }

    /// Sets the watch of a special path, once a connection.
    private func watch(_ path: XenstorePath) async throws(FilesystemError) {
        do throws(XenstoreError) {
            try await watches.set(path)
        } catch {
            throw FilesystemError(error, at: path)
        }
    }

    /// Ends all, so that nobody waits any more.
    func end() {
        for (handle, stream) in open {
            stream.lines.end()
            environment.readable(handle)
        }
    }

    // MARK: The connection

    /// Sets the watches of special paths again on a new connection.
    func watchSpecialPathsAgain() async {
        let paths = Set(open.values.map(\.path).filter(\.isSpecial))
        for path in paths {
            do throws(FilesystemError) {
                try await watch(path)
            } catch {
                environment.report("the store refused a watch of \(path): \(error)")
            }
        }
    }

    // MARK: What has come

    /// Something has changed: lines are due.
    func changed(_ path: XenstorePath) {
        for (handle, stream) in open {
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
                _ = try await access.permissions(of: stream.path)
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
    func missed() {
        for (handle, stream) in open {
            stream.lines.miss()
            environment.readable(handle)
        }
    }

    /// Adds a line to a stream, or has it checked first.
    func tell(_ path: XenstorePath, to stream: OpenStream, _ handle: HandleID) {
        guard stream.reader != nil else {
            stream.lines.add(path.text)
            return environment.readable(handle)
        }
        stream.addUnchecked(path)
        guard !stream.isChecking else { return }
        stream.isChecking = true
        environment.start { [self] in await check(stream, handle) }
    }

    /// Adds those lines whose keys may be seen, in their order.
    private func check(_ stream: OpenStream, _ handle: HandleID) async {
        defer { stream.isChecking = false }
        while let reader = stream.reader, open[handle] === stream {
            let paths = stream.takeUnchecked()
            guard !paths.isEmpty else { return }
            let now = await rights(of: Set(paths.flatMap(directories)))
            for path in paths {
                let above = directories(above: path).map { now[$0] ?? stream.rights[$0] }
                if reader.maySeeWhat(isIn: above) {
                    stream.lines.add(path.text)
                    environment.readable(handle)
                }
                // What comes after this is of another, or of none.
                stream.dropRights(from: path)
            }
            stream.keepRights(now)
        }
    }

    /// The directories of the mount above a key, the closest first.
    private func directories(above path: XenstorePath) -> [XenstorePath] {
        var found: [XenstorePath] = []
        var next = path.parent
        while let directory = next, options.subtree.contains(directory) {
            found.append(directory)
            next = directory.parent
        }
        return found
    }

    /// How keys show as directories; what is gone, or cannot be asked for, is missing.
    private func rights(of paths: some Collection<XenstorePath>) async
        -> [XenstorePath: ShownRights]
    {
        let requests = paths.map { Request.getPermissions($0) }
        let answers = await access.send(requests, in: .none)
        var rights: [XenstorePath: ShownRights] = [:]
        for (path, answer) in zip(paths, answers) {
            switch answer {
            case .success(let payload):
                guard let permissions = Permissions(payload: payload) else { continue }
                rights[path] = ShownRights(
                    mode: ModeBits.mode(of: permissions, kind: .directory) & ~options.umask,
                    userID: options.userID(of: permissions)
                )
            case .failure(.refused(.accessDenied)):
                // It can be walked through, and no more is known of it.
                rights[path] = ShownRights(
                    mode: ModeBits.ofUnreadable & ~options.umask,
                    userID: options.userID(of: Permissions(owner: .privileged))
                )
            case .failure: break
            }
        }
        return rights
    }
}
