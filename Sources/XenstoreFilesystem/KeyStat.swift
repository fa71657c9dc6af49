import XenstoreProtocol

/// What the store says of a key, as of one moment.
struct KeyStat {
    var value: [UInt8]
    var hasChildren: Bool
    var permissions: Permissions
    /// The names of the children, each followed by a zero, where they were asked for and fit a
    /// message.
    var names: [UInt8]?
    /// The number of changes when it was asked; nil where that is not known.
    var serial: Int?
}

/// What is asked about one key: its value always, and with it whether the key exists; the rest
/// where a watch has not kept it.
struct StatQuery {
    let path: XenstorePath
    private let hasChildren: Bool?
    private let permissions: Permissions?

    /// - Parameters:
    ///   - known: the key where a watch keeps true what is known of it.
    ///   - asksNames: whether DIRECTORY is asked in any case, as the second request.
    init(_ path: XenstorePath, known: KeyNode?, asksNames: Bool = false) {
        self.path = path
        hasChildren = asksNames ? nil : known?.hasChildren
        permissions = known?.permissions
    }

    var requests: [Request] {
        var requests: [Request] = [.read(path)]
        if hasChildren == nil { requests.append(.directory(path)) }
        if permissions == nil { requests.append(.getPermissions(path)) }
        return requests
    }

    /// Whether READ is all that is asked.
    var asksValueAlone: Bool { hasChildren != nil && permissions != nil }

    /// Takes the answer to READ, where that is all that is asked.
    func stat(_ value: [UInt8], asOf serial: Int) -> KeyStat {
        KeyStat(
            value: value,
            hasChildren: hasChildren ?? false,
            permissions: permissions ?? Permissions(owner: .privileged),
            names: nil,
            serial: serial
        )
    }

    /// Takes the answers to ``requests``.
    func stat(
        _ answers: ArraySlice<Result<[UInt8], XenstoreError>>
    ) throws(XenstoreError) -> KeyStat {
        var answers = answers
        func next() throws(XenstoreError) -> Result<[UInt8], XenstoreError> {
            guard let answer = answers.popFirst() else { throw .malformedReply }
            return answer
        }
        let value = try next().get()
        var stat = KeyStat(
            value: value,
            hasChildren: hasChildren ?? false,
            permissions: permissions ?? Permissions(owner: .privileged)
        )
        if hasChildren == nil {
            let answer = try next()
            stat.hasChildren = try KeyStat.hasChildren(answer)
            stat.names = try? answer.get()
        }
        if permissions == nil {
            guard let told = Permissions(payload: try next().get()) else { throw .malformedReply }
            stat.permissions = told
        }
        return stat
    }
}

extension Filesystem {
    /// Asks for what is not known of a key, in one round trip.
    ///
    /// - Parameter node: the key where it is known; what it knows is not asked again, and what is
    ///   learnt is kept there. If this mount moves it meanwhile, the key is asked for at its new
    ///   place: another may be at the old one.
    func stat(of path: XenstorePath, node: KeyNode?) async throws(FilesystemError) -> KeyStat {
        var path = path
        while true {
            let stat = try await statNow(of: path, node)
            guard let node, !node.isAt(path), let place = try? node.path() else { return stat }
            path = place
        }
    }

    private func statNow(
        of path: XenstorePath,
        _ node: KeyNode?
    ) async throws(FilesystemError) -> KeyStat {
        let query = StatQuery(path, known: isWatching ? node : nil)
        let serial = changes.serial
        do throws(XenstoreError) {
            if query.asksValueAlone {
                let value = try await access.base.send(.read(path), in: .none)
                if let node {
                    markExists(node)
                    noteTimes(of: node, at: path, value: value, asOf: serial)
                    node.hasValue = !value.isEmpty
                }
                return query.stat(value, asOf: serial)
            }
            var stat = try query.stat(await access.base.send(query.requests, in: .none)[...])
            stat.serial = serial
            if let node { cache(stat, of: node, path, asOf: serial) }
            return stat
        } catch {
            throw noted(error, node, at: path)
        }
    }

    /// Keeps what an answer told, unless a change has come since it was asked.
    func cache(_ stat: KeyStat, of node: KeyNode, _ path: XenstorePath, asOf serial: Int) {
        guard stands(node, at: path) else { return }
        markExists(node)
        noteTimes(of: node, stat, at: path, asOf: serial)
        node.hasValue = !stat.value.isEmpty
        node.isStaleInKernel = false
        if node.hasValue { node.createdBy = nil }
        if stat.hasChildren {
            node.emptyKind = .directory
        } else if stat.names != nil, node.childCount > 0 {
            // Only where the store was asked: this mount may have made one since it last said so.
            dropChildren(of: node)
        }
        guard isWatching, !changes.hasChanged(path, since: serial) else { return }
        node.hasChildren = stat.hasChildren
        // oxenstored tells nobody of a change of its root itself.
        guard !path.isRoot else { return }
        // A key inherits its parent's permissions: most share them, and need no copy.
        let inherited = node.parent?.permissions
        node.permissions = inherited == stat.permissions ? inherited : stat.permissions
    }

    /// Whether an answer about a path is one about the key: it may have been moved meanwhile.
    private func stands(_ node: KeyNode, at path: XenstorePath) -> Bool {
        node.isAt(path)
    }

    /// Takes note of what an error tells of the key.
    func noted(_ error: XenstoreError, _ node: KeyNode?, at path: XenstorePath)
        -> FilesystemError
    {
        if error == .refused(.noEntry), let node, stands(node, at: path) { noteMissing(node) }
        return FilesystemError(error, at: path)
    }

    /// The key is gone: nothing that was known of it holds, and the kernel need not keep it.
    func noteMissing(_ node: KeyNode) {
        noteListLost(by: node)
        dropRemoved(node)
        if node.deferredCreateCount == 0, !node.isRoot { invalidateEntry(of: node, .removed) }
        keys.dropUnused(node)
    }

    /// A key has no children, so those that it had are gone. One that is being created is still to
    /// come.
    func dropChildren(of node: KeyNode) {
        for child in keys.subtree(of: node).dropFirst() where child.deferredCreateCount == 0 {
            dropRemoved(child)
        }
        keys.dropMemory(below: node)
    }

    /// A key was not there, and so nothing below it was: all that was remembered of them is over.
    func dropRemoved(_ removed: KeyNode) {
        for node in keys.subtree(of: removed) {
            // With the name above them the kernel forgets all but what is in use, and what leads
            // to that.
            if node !== removed, node.fileLookups + node.directoryLookups > 0 {
                invalidateEntry(of: node, .removedAbove)
            }
            node.dropStat()
            node.isGone = true
            (node.valueDigest, node.listIsKnown, node.valueTimeIsSet) = (0, false, false)
            node.emptyKind = nil
            node.isStickyDirectory = false
            node.createdBy = nil
            scratch.unlinkAll(in: node)
        }
        keys.dropMemory(below: removed)
    }

    /// The kind of file that the key shows as, by its plain name.
    func kind(_ stat: KeyStat, of node: KeyNode) -> FileKind {
        if node.isRoot || stat.hasChildren || node.isStickyDirectory { return .directory }
        if !stat.value.isEmpty {
            node.emptyKind = .file
            return .file
        }
        return node.emptyKind ?? kindByPlace(of: node)
    }

    /// The kind that a key shows as, if that is known without its value.
    ///
    /// - Parameter node: the key where it is known.
    func kindWithoutValue(hasChildren: Bool, _ node: KeyNode?, _ path: XenstorePath) -> FileKind? {
        if hasChildren || node?.isStickyDirectory == true { return .directory }
        let emptyKind = node.map(\.emptyKind) ?? keys.rememberedKind(at: path)
        // With a value it is a file, and without one it is too.
        return emptyKind ?? options.emptyKeyKind.kind(of: path) == .file ? .file : nil
    }

    /// The kind that an empty key shows as of which nothing else is known.
    private func kindByPlace(of node: KeyNode) -> FileKind {
        // Only a path that is too long is none.
        (try? node.path()).map(options.emptyKeyKind.kind) ?? .file
    }
}

extension KeyStat {
    /// Takes the answer to DIRECTORY.
    static func hasChildren(
        _ answer: Result<[UInt8], XenstoreError>
    ) throws(XenstoreError) -> Bool {
        switch answer {
        case .success(let names): return !names.isEmpty
        // More names than a message holds.
        case .failure(.refused(.tooBig)): return true
        case .failure(let error): throw error
        }
    }
}

extension KeyStat {
    /// Takes the answers to READ and GET_PERMS of a key that has no children.
    init(
        childless answers: ArraySlice<Result<[UInt8], XenstoreError>>
    ) throws(XenstoreError) {
        guard answers.count == 2, let first = answers.first, let last = answers.last else {
            throw .malformedReply
        }
        value = try first.get()
        hasChildren = false
        guard let permissions = Permissions(payload: try last.get()) else {
            throw .malformedReply
        }
        self.permissions = permissions
    }
}
