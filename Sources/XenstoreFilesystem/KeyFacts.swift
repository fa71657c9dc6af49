import XenstoreProtocol

/// What the store says of a key, as of one moment.
struct KeyFacts {
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
struct FactsQuery {
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
    func facts(_ value: [UInt8], asOf serial: Int) -> KeyFacts {
        KeyFacts(
            value: value,
            hasChildren: hasChildren ?? false,
            permissions: permissions ?? Permissions(owner: .privileged),
            names: nil,
            serial: serial
        )
    }

    /// Takes the answers to ``requests``.
    func facts(
        _ answers: ArraySlice<Result<[UInt8], XenstoreError>>
    ) throws(XenstoreError) -> KeyFacts {
        var answers = answers
        func next() throws(XenstoreError) -> Result<[UInt8], XenstoreError> {
            guard let answer = answers.popFirst() else { throw .malformedReply }
            return answer
        }
        let value = try next().get()
        var facts = KeyFacts(
            value: value,
            hasChildren: hasChildren ?? false,
            permissions: permissions ?? Permissions(owner: .privileged)
        )
        if hasChildren == nil {
            let answer = try next()
            facts.hasChildren = try KeyFacts.hasChildren(answer)
            facts.names = try? answer.get()
        }
        if permissions == nil {
            guard let told = Permissions(payload: try next().get()) else { throw .malformedReply }
            facts.permissions = told
        }
        return facts
    }
}

extension Filesystem {
    /// Asks for what is not known of a key, in one round trip.
    ///
    /// - Parameter node: the key where it is known; what it knows is not asked again, and what is
    ///   learnt is kept there. If this mount moves it meanwhile, the key is asked for at its new
    ///   place: another may be at the old one.
    func facts(of path: XenstorePath, node: KeyNode?) async throws(FilesystemError) -> KeyFacts {
        var path = path
        while true {
            let facts = try await factsNow(of: path, node)
            guard let node, !node.isAt(path), let place = try? node.path() else { return facts }
            path = place
        }
    }

    private func factsNow(
        of path: XenstorePath,
        _ node: KeyNode?
    ) async throws(FilesystemError) -> KeyFacts {
        let query = FactsQuery(path, known: isWatching ? node : nil)
        let serial = changes.serial
        do throws(XenstoreError) {
            if query.asksValueAlone {
                let value = try await access.base.send(.read(path), in: .none)
                if let node {
                    noteSeen(node)
                    noteTimes(of: node, at: path, value: value, asOf: serial)
                    node.hasValue = !value.isEmpty
                }
                return query.facts(value, asOf: serial)
            }
            var facts = try query.facts(await access.base.send(query.requests, in: .none)[...])
            facts.serial = serial
            if let node { learn(facts, of: node, path, asOf: serial) }
            return facts
        } catch {
            throw noted(error, node, at: path)
        }
    }

    /// Keeps what an answer told, unless a change has come since it was asked.
    func learn(_ facts: KeyFacts, of node: KeyNode, _ path: XenstorePath, asOf serial: Int) {
        guard stands(node, at: path) else { return }
        noteSeen(node)
        noteTimes(of: node, facts, at: path, asOf: serial)
        node.hasValue = !facts.value.isEmpty
        node.wasToldStale = false
        if node.hasValue { node.maker = nil }
        if facts.hasChildren {
            node.viewWhenEmpty = .directory
        } else if facts.names != nil, node.childCount > 0 {
            // Only where the store was asked: this mount may have made one since it last said so.
            forgetChildren(of: node)
        }
        guard isWatching, !changes.hasChanged(path, since: serial) else { return }
        node.hasChildren = facts.hasChildren
        // oxenstored tells nobody of a change of its root itself.
        guard !path.isRoot else { return }
        // A key inherits its parent's permissions: most share them, and need no copy.
        let inherited = node.parent?.permissions
        node.permissions = inherited == facts.permissions ? inherited : facts.permissions
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
        forgetRemoved(node)
        if node.creatorCount == 0, !node.isRoot { forgetName(of: node) }
        keys.dropUnused(node)
    }

    /// A key has no children, so those that it had are gone. One that is being created is still to
    /// come.
    func forgetChildren(of node: KeyNode) {
        for child in keys.subtree(of: node).dropFirst() where child.creatorCount == 0 {
            forgetRemoved(child)
        }
        keys.forgetMemory(below: node)
    }

    /// A key was not there, and so nothing below it was: all that was remembered of them is over.
    func forgetRemoved(_ removed: KeyNode) {
        for node in keys.subtree(of: removed) {
            // With the name above them the kernel forgets all but what is in use, and what leads
            // to that.
            if node !== removed, node.fileLookups + node.directoryLookups > 0 {
                forgetName(of: node)
            }
            node.forgetFacts()
            node.isGone = true
            (node.valueDigest, node.listIsKnown, node.valueTimeIsSet) = (0, false, false)
            node.viewWhenEmpty = nil
            node.isKeptDirectory = false
            node.maker = nil
            scratch.unlinkAll(in: node)
        }
        keys.forgetMemory(below: removed)
    }

    /// Which way the key shows itself, by its plain name.
    func view(_ facts: KeyFacts, of node: KeyNode) -> View {
        if node.isRoot || facts.hasChildren || node.isKeptDirectory { return .directory }
        if !facts.value.isEmpty {
            node.viewWhenEmpty = .file
            return .file
        }
        return node.viewWhenEmpty ?? viewByPlace(of: node)
    }

    /// Which way a key shows itself if that can be told without its value.
    ///
    /// - Parameter node: the key where it is known.
    func viewWithoutValue(hasChildren: Bool, _ node: KeyNode?, _ path: XenstorePath) -> View? {
        if hasChildren || node?.isKeptDirectory == true { return .directory }
        let viewWhenEmpty = node.map(\.viewWhenEmpty) ?? keys.rememberedView(at: path)
        // With a value it is a file, and without one it is too.
        return viewWhenEmpty ?? options.emptyView.view(of: path) == .file ? .file : nil
    }

    /// Which way an empty key shows itself of which nothing else is known.
    private func viewByPlace(of node: KeyNode) -> View {
        // Only a path that is too long is none.
        (try? node.path()).map(options.emptyView.view) ?? .file
    }
}

extension KeyFacts {
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
