import XenstoreProtocol

/// Nodes as oxenstored has them: a new one has its parent's permissions with the owner.
final class OxenstoredNodes {
    private let access: OxenstoredAccess
    private let nodes: NodeStore
    private let accounts: DomainAccounts
    private let watches: OxenstoredWatches

    init(_ state: StoreState, _ access: OxenstoredAccess, _ watches: OxenstoredWatches) {
        nodes = state.nodes
        accounts = state.accounts
        self.access = access
        self.watches = watches
    }

    func read(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        try readable(path, caller).value
    }

    func directory(
        _ path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) -> [UInt8] {
        let node = try readable(path, caller)
        // Before it is sorted: a guest is refused what does not fit.
        guard node.children.nameBytes <= OxenstoredEngine.payloadLimit(of: caller.connection) else {
            throw .tooBig
        }
        var names: [String] = []
        node.children.forEach { names.append($0.name) }
        return names.sorted().flatMap { Reply.text($0) }
    }

    func permissions(
        of path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) -> [UInt8] {
        var payload: [UInt8] = []
        try readable(path, caller).permissions.encode(into: &payload)
        return payload
    }

    func write(
        _ value: [UInt8],
        to path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        let path = try access.resolve(path, caller)
        try makeParents(of: path, caller)
        let node = nodes.tree(of: caller).node(at: path)
        guard let nearest = node ?? nodes.tree(of: caller).node(at: path.parent) else {
            preconditionFailure("the parents were just made")
        }
        if let limit = accounts.quota(.nodeSize), limit > 0, value.count > Int(limit) {
            throw .tooBig
        }
        if node == nil { try checkEntries(of: nearest.permissions.owner, caller) }
        try access.check(.write, nearest, caller)
        if node == nil {
            nodes.apply(
                .create(path, levels: 1, value: value, permissions: nearest.permissions),
                caller
            )
        } else if nearest.value != value {
            nodes.apply(.setValue(path, value), caller)
        } else if !path.isRoot {
            // The node stays the very same, and those above are new nonetheless.
            nodes.touch(path.parent, caller)
        }
        caller.transaction?.log?.noteWrite(node == nil ? path.parent : path)
        watches.notify(.changed, path, before: nil, caller)
    }

    func makeDirectory(
        _ path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        let path = try access.resolve(path, caller)
        try makeParents(of: path, caller)
        if !path.isRoot {
            if let node = nodes.tree(of: caller).node(at: path) {
                return try access.check(.write, node, caller)
            }
            try make(path, caller)
        }
        caller.transaction?.log?.noteWrite(path.parent)
        watches.notify(.changed, path, before: nil, caller)
    }

    func remove(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) {
        let path = try access.resolve(path, caller)
        let before = nodes.tree(of: caller)
        guard before.node(at: path.parent) != nil else { throw .noEntry }
        guard let node = before.node(at: path) else { return }
        try access.check(.write, node, caller)
        if path.isRoot {
            node.children.forEach { nodes.apply(.remove(path.appending($0.name)), caller) }
        } else {
            nodes.apply(.remove(path), caller)
        }
        caller.transaction?.log?.noteWrite(path.parent)
        watches.notify(.removed, path, before: before, caller)
    }

    func setPermissions(
        _ permissions: Permissions,
        of path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        guard let permissions = permissions.asKeptByOxenstored else { throw .invalid }
        let path = try access.resolve(path, caller)
        let before = nodes.tree(of: caller)
        guard let node = before.node(at: path) else { throw .noEntry }
        guard
            permissions.owner == node.permissions.owner || access.holdsAllRights(caller.connection)
        else { throw .accessDenied }
        guard path.isRoot || access.isOwner(caller.connection, of: node.permissions) else {
            throw .accessDenied
        }
        try access.check(.write, node, caller)
        nodes.apply(.setPermissions(path, permissions), caller)
        caller.transaction?.log?.noteWrite(path)
        watches.notify(.permissions, path, before: before, caller)
    }

    private func readable(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) -> Node {
        let path = try access.resolve(path, caller)
        guard let node = nodes.tree(of: caller).node(at: path) else { throw .noEntry }
        try access.check(.read, node, caller)
        caller.transaction?.log?.noteRead(path)
        return node
    }

    /// Makes the nodes above one that are missing. They stay even where the rest is refused, and
    /// they cause no events.
    private func makeParents(of path: StorePath, _ caller: Caller) throws(StoreErrorCode) {
        guard !path.isRoot else { return }
        let (_, level) = nodes.tree(of: caller).deepest(to: path.parent)
        try make(path.parent, levels: path.parent.depth - level, caller)
    }

    /// Makes a node and those above it that are missing, `levels` in all: as many as may be.
    private func make(
        _ path: StorePath,
        levels: Int = 1,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        guard levels > 0 else { return }
        var names = Array(path.names)
        let parent = StorePath(names: names.dropLast(levels))
        guard let above = nodes.tree(of: caller).node(at: parent)?.permissions else {
            preconditionFailure("makes a node below none")
        }
        let allowed = entriesLeft(of: above.owner, caller)
        guard allowed > 0 else { throw .quota }
        guard access.access(of: caller.connection, above).contains(.write) else {
            throw .accessDenied
        }
        // All have the same permissions, so what may make the first may make the rest.
        let count = min(levels, allowed)
        names.removeLast(levels - count)
        nodes.apply(
            .create(StorePath(names: names[...]), levels: count, value: [], permissions: above),
            caller
        )
        caller.transaction?.log?.noteWrite(parent)
        if count < levels { throw .quota }
    }

    /// Bounds the nodes of a domain, no matter who makes them.
    private func checkEntries(of owner: DomainID, _ caller: Caller) throws(StoreErrorCode) {
        guard entriesLeft(of: owner, caller) > 0 else { throw .quota }
    }

    /// The nodes that may still be made for a domain.
    private func entriesLeft(of owner: DomainID, _ caller: Caller) -> Int {
        guard !access.holdsAllRights(caller.connection),
            let limit = accounts.limit(.nodes, of: owner)
        else { return .max }
        return limit - nodes.usage(of: owner, caller).nodes
    }
}
