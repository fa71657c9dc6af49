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

    /// All keys: the one that was asked for first, those above before those below, and the children
    /// of each together, in the store's order.
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

extension XenstoreOperations {
    /// A key and everything below it, with many keys asked for at once. It is as consistent as what
    /// is read outside a transaction can be; in a transaction it is one moment.
    ///
    /// What goes while it is read, and what may not be read, is in the tree as a failure.
    ///
    /// - Parameters:
    ///   - path: the key.
    ///   - permissions: whether the permissions are wanted, too.
    public func tree(
        at path: some XenstorePathConvertible,
        permissions: Bool = false
    ) async throws(ClientError) -> StoreTree {
        let path = try path.checked(for: .directory)
        let handle = handle
        var walk = TreeWalk(from: path, permissions: permissions)
        await withTaskGroup(of: TreeWalk.Answers.self) { group in
            var running = 0
            while true {
                while running < TreeWalk.batches, let keys = walk.next(running: running) {
                    let requests = walk.requests(for: keys)
                    group.addTask { (keys, await handle.send(requests)) }
                    running += 1
                }
                guard running > 0, let answers = await group.next() else { break }
                running -= 1
                await walk.take(answers, handle)
            }
        }
        guard !walk.isTooLarge else { throw ClientError(.directory, path: path.text, .tooMany) }
        return StoreTree(nodes: walk.nodes)
    }
}

/// A tree on its way: the keys that are known, up to one from which on they are to be read.
private struct TreeWalk {
    /// Batches that are on their way at once: while the answers to one are taken apart the store
    /// works at the other.
    static let batches = 2
    /// Keys that are asked for at once.
    private static let largestBatch = 1024
    /// Keys that a tree may have. Beyond, the store makes them faster than they are read.
    private static let largestTree = 10_000_000

    /// Keys, and the answers to what was asked about them.
    typealias Answers = (keys: Range<Int>, answers: [Result<[UInt8], XenstoreError>])

    private(set) var nodes: [StoreTree.Node] = []
    private(set) var isTooLarge = false
    private let wantsPermissions: Bool
    private var nextKey = 0

    init(from path: XenstorePath, permissions: Bool) {
        wantsPermissions = permissions
        append(path)
    }

    private var requestsPerKey: Int { wantsPermissions ? 3 : 2 }

    /// The keys of the next batch; nil if none is known.
    mutating func next(running: Int) -> Range<Int>? {
        let known = nodes.count - nextKey
        guard known > 0, !isTooLarge else { return nil }
        // Half of them first, so that there is a second batch to go with it.
        let count = running == 0 ? (known + 1) / 2 : known
        let keys = nextKey..<(nextKey + min(count, Self.largestBatch))
        nextKey = keys.upperBound
        return keys
    }

    func requests(for keys: Range<Int>) -> [Request] {
        var requests: [Request] = []
        requests.reserveCapacity(keys.count * requestsPerKey)
        for node in nodes[keys] {
            requests.append(.read(node.path))
            requests.append(.directory(node.path))
            if wantsPermissions { requests.append(.getPermissions(node.path)) }
        }
        return requests
    }

    /// Takes answers apart, and notes the children that they name.
    mutating func take(_ batch: Answers, _ handle: XenstoreHandle) async {
        for (offset, key) in batch.keys.enumerated() {
            let path = nodes[key].path
            let first = offset * requestsPerKey
            nodes[key].value = batch.answers[first].mapError { ClientError(.read(path), $0) }
            if wantsPermissions {
                nodes[key].permissions = Self.permissions(batch.answers[first + 2], of: path)
            }
            do throws(XenstoreError) {
                let names = try await Self.names(batch.answers[first + 1], of: path, handle)
                // A path that is too long is no key that could be asked for.
                let start = nodes.count
                for name in names {
                    if let child = try? path.appending(name) { append(child) }
                }
                nodes[key].children = .success(start..<nodes.count)
            } catch {
                nodes[key].children = .failure(ClientError(.directory(path), error))
            }
        }
        if nodes.count > Self.largestTree { isTooLarge = true }
    }

    private mutating func append(_ path: XenstorePath) {
        nodes.append(
            StoreTree.Node(path: path, value: .success([]), children: .success(0..<0))
        )
    }

    private static func names(
        _ answer: Result<[UInt8], XenstoreError>,
        of path: XenstorePath,
        _ handle: XenstoreHandle
    ) async throws(XenstoreError) -> [String] {
        let access = HandleAccess(handle)
        switch answer {
        case .success(let payload): return try access.childNames(payload)
        // It does not fit one message.
        case .failure(.refused(.tooBig)): return try await access.directoryByParts(path, in: .none)
        case .failure(let error): throw error
        }
    }

    private static func permissions(
        _ answer: Result<[UInt8], XenstoreError>,
        of path: XenstorePath
    ) -> Result<Permissions, ClientError> {
        let request = Request.getPermissions(path)
        switch answer {
        case .success(let payload):
            guard let permissions = Permissions(payload: payload) else {
                return .failure(ClientError(request, .malformedReply))
            }
            return .success(permissions)
        case .failure(let error):
            return .failure(ClientError(request, error))
        }
    }
}
