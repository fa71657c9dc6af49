import XenstoreProtocol

/// What the store says of a key, as of one moment.
struct KeyFacts {
    var value: [UInt8]
    var hasChildren: Bool
    var permissions: Permissions
}

extension Filesystem {
    /// Asks for what is not known of a key, in one round trip. Its value is always asked for, and
    /// with it whether the key exists.
    ///
    /// - Parameter node: the key where it is known; what it knows is not asked again, and what is
    ///   learnt is kept there.
    func facts(of path: XenstorePath, node: KeyNode?) async throws(FilesystemError) -> KeyFacts {
        let known = isWatching ? node : nil
        if let known, let permissions = known.permissions, let hasChildren = known.hasChildren {
            let value = try await readValue(of: path, node: known)
            return KeyFacts(value: value, hasChildren: hasChildren, permissions: permissions)
        }
        let serial = changes.serial
        let answers = await access.send(
            [.read(path), .directory(path), .getPermissions(path)],
            in: .none
        )
        let facts: KeyFacts
        do throws(XenstoreError) {
            facts = try KeyFacts(answers: answers[...])
        } catch {
            throw noted(error, node, at: path)
        }
        if let node { learn(facts, of: node, path, asOf: serial) }
        return facts
    }

    /// Reads the value of a key of which the rest is known.
    private func readValue(of path: XenstorePath, node: KeyNode) async throws(FilesystemError)
        -> [UInt8]
    {
        do throws(XenstoreError) {
            let value = try await access.send(.read(path), in: .none)
            node.hasValue = !value.isEmpty
            return value
        } catch {
            throw noted(error, node, at: path)
        }
    }

    /// Keeps what an answer told, unless a change has come since it was asked.
    func learn(_ facts: KeyFacts, of node: KeyNode, _ path: XenstorePath, asOf serial: Int) {
        guard stands(node, at: path) else { return }
        node.hasValue = !facts.value.isEmpty
        node.wasToldStale = false
        if node.hasValue { node.maker = nil }
        if facts.hasChildren {
            node.viewWhenEmpty = .directory
        } else if node.childCount > 0 {
            forgetChildren(of: node)
        }
        guard isWatching, !changes.hasChanged(path, since: serial) else { return }
        node.hasChildren = facts.hasChildren
        node.permissions = facts.permissions
    }

    /// Whether an answer about a path is one about the key: it may have been moved meanwhile.
    private func stands(_ node: KeyNode, at path: XenstorePath) -> Bool {
        (try? node.path()) == path
    }

    /// Takes note of what an error tells of the key.
    private func noted(_ error: XenstoreError, _ node: KeyNode?, at path: XenstorePath)
        -> FilesystemError
    {
        if error == .refused(.noEntry), let node, stands(node, at: path) { noteMissing(node) }
        return FilesystemError(error, at: path)
    }

    /// The key is gone: nothing that was known of it holds, and the kernel need not keep it.
    private func noteMissing(_ node: KeyNode) {
        forgetRemoved(node)
        if node.creatorCount == 0, !node.isRoot { forgetName(of: node) }
    }

    /// A key has no children, so those that it had are gone. One that is being created is still to
    /// come.
    private func forgetChildren(of node: KeyNode) {
        for child in keys.subtree(of: node).dropFirst() where child.creatorCount == 0 {
            forgetRemoved(child)
        }
    }

    /// A key was not there, and so nothing below it was: what they were made as is over.
    func forgetRemoved(_ removed: KeyNode) {
        for node in keys.subtree(of: removed) {
            // With the name above them the kernel forgets all but what is in use, and what leads
            // to that.
            if node !== removed, node.fileLookups + node.directoryLookups > 0 {
                forgetName(of: node)
            }
            node.forgetFacts()
            node.viewWhenEmpty = nil
            node.isKeptDirectory = false
            node.maker = nil
            node.awaitsPermissions = false
            scratch.unlinkAll(in: node)
        }
    }

    /// Which way the key shows itself, by its plain name.
    func view(_ facts: KeyFacts, of node: KeyNode) -> View {
        if node.isRoot || facts.hasChildren || node.isKeptDirectory { return .directory }
        if !facts.value.isEmpty {
            node.viewWhenEmpty = .file
            return .file
        }
        return node.viewWhenEmpty ?? options.emptyView
    }
}

extension KeyFacts {
    /// Takes the answers to READ, DIRECTORY and GET_PERMS of one key.
    init(
        answers: ArraySlice<Result<[UInt8], XenstoreError>>
    ) throws(XenstoreError) {
        guard answers.count == 3 else { throw .malformedReply }
        let first = answers.startIndex
        value = try answers[first].get()
        hasChildren = try Self.hasChildren(answers[first + 1])
        guard let permissions = Permissions(payload: try answers[first + 2].get()) else {
            throw .malformedReply
        }
        self.permissions = permissions
    }

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
