import XenstoreProtocol

/// READ, DIRECTORY, DIRECTORY_PART and GET_PERMS.
final class XenstoredReading {
    private let access: XenstoredAccess
    private let nodes: NodeStore
    private var listingCache: (generation: UInt64, names: [UInt8])?

    init(_ state: StoreState, _ access: XenstoredAccess) {
        nodes = state.nodes
        self.access = access
    }

    func read(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        try access.existing(try access.resolve(path, caller), .read, caller).value
    }

    func directory(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        let node = try access.existing(try access.resolve(path, caller), .read, caller)
        guard node.children.nameBytes <= ProtocolLimits.payloadSize else { throw .tooBig }
        return node.children.encodedNames()
    }

    /// The list of names from a byte on: the node's generation, then as many whole names as fit,
    /// and an empty one after the last of all.
    func directoryPart(
        _ path: XenstorePath,
        offset: Int,
        _ caller: Caller
    ) throws(StoreErrorCode) -> [UInt8] {
        let node = try access.existing(try access.resolve(path, caller), .read, caller)
        var payload = Reply.text(String(node.generation))
        let list = cachedNames(of: node)
        guard offset < list.count else { return payload + [0] }
        let room = ProtocolLimits.payloadSize - payload.count - 1
        var end = min(list.count, offset + room)
        while end > offset, list[end - 1] != 0 { end -= 1 }
        payload.append(contentsOf: list[offset..<end])
        if end == list.count { payload.append(0) }
        return payload
    }

    func permissions(
        of path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) -> [UInt8] {
        let path = try access.resolve(path, caller, allowsSpecial: true)
        // An unknown special path is no path at all.
        guard !path.isSpecial || nodes.tree.node(at: path) != nil else { throw .invalid }
        let node = try access.existing(path, .read, caller)
        var payload: [UInt8] = []
        node.permissions.encode(into: &payload)
        return payload
    }

    /// The list of a large node is asked for in many parts: it is made once for each generation.
    private func cachedNames(of node: Node) -> [UInt8] {
        if let cached = listingCache, cached.generation == node.generation {
            return cached.names
        }
        let names = node.children.encodedNames()
        listingCache = (node.generation, names)
        return names
    }
}
