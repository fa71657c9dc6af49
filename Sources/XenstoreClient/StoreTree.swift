public import XenstoreProtocol

/// A key and everything below it, as ``XenstoreOperations/tree(at:permissions:)`` found it.
public struct StoreTree: Sendable {
    /// One key.
    public struct Node: Sendable {
        public let path: XenstorePath
        /// The value, or why it could not be read.
        public fileprivate(set) var value: Result<[UInt8], ClientError>
        /// The permissions, if they were asked for, or why they could not be read.
        public fileprivate(set) var permissions: Result<Permissions, ClientError>?
        /// Where its children are in ``StoreTree/nodes``, or why they could not be listed.
        public fileprivate(set) var children: Result<Range<Int>, ClientError>
    }

    /// All keys: the one that was asked for, its children, their children, and so on; children in
    /// the store's order.
    public fileprivate(set) var nodes: [Node]

    /// The key that was asked for.
    public var root: Node { nodes[0] }

    /// The children of a key; none where they could not be listed.
    public func children(of node: Node) -> ArraySlice<Node> {
        guard let range = try? node.children.get() else { return [] }
        return nodes[range]
    }

    /// Calls `visit` with each key and its level, 0 at the root: a key, then what is below it.
    public func forEach<Failure: Error>(
        _ visit: (Node, _ level: Int) throws(Failure) -> Void
    ) throws(Failure) {
        var stack = [(index: 0, level: 0)]
        while let (index, level) = stack.popLast() {
            try visit(nodes[index], level)
            guard let range = try? nodes[index].children.get() else { continue }
            for child in range.reversed() { stack.append((child, level + 1)) }
        }
    }
}

/// Keys that a tree may have. Beyond, the store makes them faster than they are read.
private let largestTree = 10_000_000

extension XenstoreOperations {
    /// A key and everything below it, in a few round trips: one or two for each level. It is as
    /// consistent as what is read outside a transaction can be; in a transaction it is one moment.
    ///
    /// What goes while it is read, and what may not be read, is in the tree as a failure.
    ///
    /// - Parameter permissions: whether the permissions are wanted, too.
    public func tree(
        at path: some XenstorePathConvertible,
        permissions: Bool = false
    ) async throws(ClientError) -> StoreTree {
        let path = try path.checked(for: .directory)
        var tree = StoreTree(nodes: [])
        var level = [path]
        var parents: [(node: Int, count: Int)] = []
        while !level.isEmpty {
            var next: [XenstorePath] = []
            let start = tree.nodes.count
            // Where the keys of this level are, for those above.
            var first = start
            for parent in parents {
                tree.nodes[parent.node].children = .success(first..<(first + parent.count))
                first += parent.count
            }
            parents = []
            guard start + level.count <= largestTree else {
                throw ClientError(.directory, path: path.text, .tooMany)
            }
            for found in await readLevel(level, permissions: permissions) {
                tree.nodes.append(found.node)
                // A path that is too long is no key that could be asked for.
                let children = found.names.compactMap { try? found.node.path.appending($0) }
                guard !children.isEmpty else { continue }
                parents.append((tree.nodes.count - 1, children.count))
                next += children
            }
            level = next
        }
        return tree
    }

    /// Reads keys, each with its children's names, in one batch.
    private func readLevel(
        _ paths: [XenstorePath],
        permissions: Bool
    ) async -> [(node: StoreTree.Node, names: [String])] {
        var requests: [Request] = []
        let width = permissions ? 3 : 2
        requests.reserveCapacity(paths.count * width)
        for path in paths {
            requests.append(.read(path))
            requests.append(.directory(path))
            if permissions { requests.append(.getPermissions(path)) }
        }
        let answers = await handle.perform(requests)
        var found: [(node: StoreTree.Node, names: [String])] = []
        found.reserveCapacity(paths.count)
        for (index, path) in paths.enumerated() {
            var node = StoreTree.Node(
                path: path,
                value: answers[index * width],
                children: .success(0..<0)
            )
            if permissions {
                node.permissions = answers[index * width + 2].flatMap(Self.permissions(path))
            }
            var names: [String] = []
            do throws(ClientError) {
                names = try await self.names(path, answers[index * width + 1])
            } catch {
                node.children = .failure(error)
            }
            found.append((node, names))
        }
        return found
    }

    private func names(
        _ path: XenstorePath,
        _ answer: Result<[UInt8], ClientError>
    ) async throws(ClientError) -> [String] {
        let request = Request.directory(path)
        let access = HandleAccess(handle)
        let payload: [UInt8]?
        switch answer {
        case .success(let found): payload = found
        // It does not fit one message.
        case .failure(let error) where error.code == .tooBig: payload = nil
        case .failure(let error): throw error
        }
        do throws(XenstoreError) {
            if let payload { return try access.childNames(payload) }
            return try await access.directoryByParts(path, in: .none)
        } catch {
            throw ClientError(request, error)
        }
    }

    private static func permissions(
        _ path: XenstorePath
    ) -> ([UInt8]) -> Result<Permissions, ClientError> {
        { payload in
            if let permissions = Permissions(payload: payload) { return .success(permissions) }
            return .failure(ClientError(Request.getPermissions(path), .malformedReply))
        }
    }
}
