import XenstoreProtocol

/// Who may read what of a stream. Where other users are let in, the kernel checks by its mode who
/// may open one. But a stream says what happens below its key, too, and the kernel knows nothing of
/// that: so each line is checked here, by the modes that the mount shows.
extension Filesystem {
    /// Limits an open stream to what a user may see of the mount by itself.
    ///
    /// - Parameter isInGroup: whether the user is in a group.
    public func limitStream(
        _ handle: HandleID,
        to userID: UInt32,
        isInGroup: (_ groupID: UInt32) -> Bool
    ) {
        guard options.letsOthersIn, userID != 0, let stream = streams.open[handle] else { return }
        stream.reader = StreamReader(userID: userID, isInGroup: isInGroup(options.groupID))
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
        while let reader = stream.reader, streams.open[handle] === stream {
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
        let answers = await reader.access.send(requests, in: .none)
        var rights: [XenstorePath: ShownRights] = [:]
        for (path, answer) in zip(paths, answers) {
            switch answer {
            case .success(let payload):
                guard let permissions = Permissions(payload: payload) else { continue }
                rights[path] = ShownRights(
                    mode: ModeBits.mode(of: permissions, kind: .directory) & ~options.umask,
                    userID: userID(of: permissions)
                )
            case .failure(.refused(.accessDenied)):
                let attributes = attributesOfUnreadable(keys.root)
                rights[path] = ShownRights(mode: attributes.mode, userID: attributes.userID)
            case .failure: break
            }
        }
        return rights
    }
}

/// The owner and the mode of a directory, by which the kernel checks rights.
struct ShownRights {
    let mode: UInt32
    let userID: UInt32
}

/// A user for whom lines of a stream are left out.
struct StreamReader {
    let userID: UInt32
    /// Whether the user is in the group of all files.
    let isInGroup: Bool

    /// Whether the name of a key may be seen: all directories above it can be walked through, and
    /// the one that it is in can be listed.
    ///
    /// - Parameter directories: the closest first; nil for one of which nothing is known.
    func maySeeWhat(isIn directories: [ShownRights?]) -> Bool {
        directories.enumerated().allSatisfy { index, rights in
            guard let rights else { return false }
            let needed: UInt32 = index == 0 ? 0o5 : 0o1
            return bits(of: rights) & needed == needed
        }
    }

    private func bits(of rights: ShownRights) -> UInt32 {
        if rights.userID == userID { return rights.mode >> 6 & 0o7 }
        return (isInGroup ? rights.mode >> 3 : rights.mode) & 0o7
    }
}
