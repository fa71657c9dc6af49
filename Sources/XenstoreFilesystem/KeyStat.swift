import XenstoreProtocol

/// What the store says of a key, as of one moment.
struct KeyStat {
    var value: [UInt8]
    var hasChildren: Bool
    var permissions: Permissions
    /// The names of the children, each followed by a zero, where they were asked for and fit a
    /// message.
    var names: [UInt8]?
    /// How much had changed when it was asked for.
    var version: ChangeLog.Version
}

/// What is asked about one key: its value always, and with it whether the key exists; the rest
/// where a watch has not kept it.
struct StatQuery {
    let path: XenstorePath
    private let hasChildren: Bool?
    private let permissions: Permissions?
    private let version: ChangeLog.Version

    /// - Parameters:
    ///   - known: the key where a watch keeps true what is known of it.
    ///   - version: of now, as the question is about to be sent.
    ///   - asksNames: whether DIRECTORY is asked in any case, as the second request.
    init(
        _ path: XenstorePath,
        known: KeyNode? = nil,
        at version: ChangeLog.Version,
        asksNames: Bool = false
    ) {
        self.path = path
        self.version = version
        hasChildren = asksNames ? nil : known?.hasChildren
        permissions = known?.permissions
    }

    /// - Parameters:
    ///   - path: of a key that has no children, as far as is known.
    ///   - version: of now, as the question is about to be sent.
    init(childless path: XenstorePath, at version: ChangeLog.Version) {
        self.path = path
        self.version = version
        hasChildren = false
        permissions = nil
    }

    var requests: [Request] {
        var requests: [Request] = [.read(path)]
        if hasChildren == nil { requests.append(.directory(path)) }
        if permissions == nil { requests.append(.getPermissions(path)) }
        return requests
    }

    fileprivate var requestCount: Int {
        1 + (hasChildren == nil ? 1 : 0) + (permissions == nil ? 1 : 0)
    }

    /// Whether it is asked if the key has children.
    var asksForChildren: Bool { hasChildren == nil }

    /// Whether READ is all that is asked.
    var asksValueAlone: Bool { hasChildren != nil && permissions != nil }

    /// Takes the answer to READ, where that is all that is asked.
    func stat(_ value: [UInt8]) -> KeyStat {
        KeyStat(
            value: value,
            hasChildren: hasChildren ?? false,
            permissions: permissions ?? Permissions(owner: .privileged),
            names: nil,
            version: version
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
            permissions: permissions ?? Permissions(owner: .privileged),
            version: version
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
        let query = query(path, node)
        do throws(XenstoreError) {
            if query.asksValueAlone {
                let value = try await access.base.send(.read(path), in: .none)
                let stat = query.stat(value)
                if let node {
                    markExists(node)
                    timestamps.learnedValue(stat, of: node, at: path)
                    node.hasValue = !value.isEmpty
                }
                return stat
            }
            let stat = try query.stat(await access.base.send(query.requests, in: .none)[...])
            if let node { cache(stat, of: node, path) }
            return stat
        } catch {
            throw noted(error, node, at: path)
        }
    }

    /// The question about a key, of which the watch keeps true what is known already.
    func query(
        _ path: XenstorePath,
        _ node: KeyNode?,
        asksNames: Bool = false
    ) -> StatQuery {
        let known = changes.isWatching ? node : nil
        return StatQuery(path, known: known, at: changes.version, asksNames: asksNames)
    }

    /// Keeps what an answer told, unless a change has come since it was asked.
    func cache(_ stat: KeyStat, of node: KeyNode, _ path: XenstorePath) {
        guard stands(node, at: path) else { return }
        markExists(node)
        timestamps.learned(stat, of: node, at: path)
        node.hasValue = !stat.value.isEmpty
        node.isStaleInKernel = false
        if node.hasValue { node.createdBy = nil }
        if stat.hasChildren {
            node.emptyKind = .directory
        } else if stat.names != nil, node.childCount > 0 {
            // Only where the store was asked: this mount may have made one since it last said so.
            dropChildren(of: node)
        }
        guard changes.mayKeep(path, asOf: stat.version) else { return }
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
        timestamps.lost(node)
        dropRemoved(node)
        if node.deferredCreateCount == 0, !node.isRoot {
            kernelCache.invalidateEntry(of: node, .removed)
        }
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
                kernelCache.invalidateEntry(of: node, .removedAbove)
            }
            node.dropStat()
            node.isGone = true
            timestamps.forget(node)
            node.emptyKind = nil
            node.isStickyDirectory = false
            node.createdBy = nil
            scratch.unlinkAll(in: node)
        }
        keys.dropMemory(below: removed)
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
    /// Of a key that has nothing but permissions, as none of the store's answers says.
    init(empty permissions: Permissions) {
        self.init(value: [], hasChildren: false, permissions: permissions, version: .never)
    }
}

extension XenstoreAccess {
    /// Asks about many keys in one round trip.
    func stat(
        _ queries: [StatQuery],
        in transaction: TransactionID = .none
    ) async -> [Result<KeyStat, XenstoreError>] {
        let answers = await send(queries.flatMap(\.requests), in: transaction)
        var start = 0
        return queries.map { query in
            let end = start + query.requestCount
            defer { start = end }
            guard end <= answers.count else { return .failure(.malformedReply) }
            return Result { () throws(XenstoreError) in try query.stat(answers[start..<end]) }
        }
    }
}
