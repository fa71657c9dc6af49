import XenstoreProtocol

/// Nodes as oxenstored has them: rights are asked of a node alone, a new one has its parent's
/// permissions with the owner, and the two special paths are nodes.
extension Store {
    func oxenstoredRead(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        try readable(path, caller).value
    }

    func oxenstoredDirectory(
        _ path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) -> [UInt8] {
        let node = try readable(path, caller)
        // Before it is sorted: a guest is refused what does not fit.
        guard node.children.nameBytes <= payloadLimit(of: caller.connection) else { throw .tooBig }
        var names: [String] = []
        node.children.forEach { names.append($0.name) }
        return names.sorted().flatMap { Self.text($0) }
    }

    func oxenstoredPermissions(
        of path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) -> [UInt8] {
        var payload: [UInt8] = []
        try readable(path, caller).permissions.encode(into: &payload)
        return payload
    }

    func oxenstoredWrite(
        _ value: [UInt8],
        to path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        let path = try nodePath(path, caller)
        try makeParents(of: path, caller)
        let node = tree(of: caller).node(at: path)
        guard let nearest = node ?? tree(of: caller).node(at: path.parent) else {
            preconditionFailure("the parents were just made")
        }
        if let limit = domains.quotas[.nodeSize], limit > 0, value.count > Int(limit) {
            throw .tooBig
        }
        if node == nil { try checkEntries(of: nearest.permissions.owner, caller) }
        try check(.write, nearest, caller)
        if node == nil {
            apply(
                .create(path, levels: 1, value: value, permissions: nearest.permissions),
                caller
            )
        } else if nearest.value != value {
            apply(.setValue(path, value), caller)
        } else if !path.isRoot {
            // The node stays the very same, and those above are new nonetheless.
            touch(path.parent, caller)
        }
        caller.transaction?.log?.noteWrite(node == nil ? path.parent : path)
        tell(.changed, path, before: nil, caller)
    }

    func oxenstoredMakeDirectory(
        _ path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        let path = try nodePath(path, caller)
        try makeParents(of: path, caller)
        if !path.isRoot {
            if let node = tree(of: caller).node(at: path) {
                return try check(.write, node, caller)
            }
            try make(path, caller)
        }
        caller.transaction?.log?.noteWrite(path.parent)
        tell(.changed, path, before: nil, caller)
    }

    func oxenstoredRemove(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) {
        let path = try nodePath(path, caller)
        let before = tree(of: caller)
        guard before.node(at: path.parent) != nil else { throw .noEntry }
        guard let node = before.node(at: path) else { return }
        try check(.write, node, caller)
        if path.isRoot {
            node.children.forEach { apply(.remove(path.appending($0.name)), caller) }
        } else {
            apply(.remove(path), caller)
        }
        caller.transaction?.log?.noteWrite(path.parent)
        tell(.removed, path, before: before, caller)
    }

    func oxenstoredSetPermissions(
        _ permissions: Permissions,
        of path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        guard let permissions = permissions.asKeptByOxenstored else { throw .invalid }
        let path = try nodePath(path, caller)
        let before = tree(of: caller)
        guard let node = before.node(at: path) else { throw .noEntry }
        guard permissions.owner == node.permissions.owner || holdsAllRights(caller.connection)
        else { throw .accessDenied }
        guard path.isRoot || isOxenstoredOwner(caller.connection, of: node.permissions) else {
            throw .accessDenied
        }
        try check(.write, node, caller)
        apply(.setPermissions(path, permissions), caller)
        caller.transaction?.log?.noteWrite(path)
        tell(.permissions, path, before: before, caller)
    }

    /// What a connection may do with a node, by its own rights or by those of its target.
    func oxenstoredAccess(of connection: Connection, _ permissions: Permissions) -> AccessMode {
        if isOxenstoredOwner(connection, of: permissions) { return [.read, .write] }
        let own = permissions.access(of: connection.domain)
        guard let target = domains[connection.domain].target else { return own }
        return own.union(permissions.access(of: target))
    }

    private func isOxenstoredOwner(_ connection: Connection, of permissions: Permissions) -> Bool {
        holdsAllRights(connection) || stands(connection, for: permissions.owner)
    }

    private func check(
        _ needed: AccessMode,
        _ node: Node,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        guard oxenstoredAccess(of: caller.connection, node.permissions).isSuperset(of: needed)
        else { throw .accessDenied }
    }

    private func readable(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) -> Node {
        let path = try nodePath(path, caller)
        guard let node = tree(of: caller).node(at: path) else { throw .noEntry }
        try check(.read, node, caller)
        caller.transaction?.log?.noteRead(path)
        return node
    }

    private func nodePath(
        _ path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) -> StorePath {
        let resolved = try resolve(path, caller, allowsSpecial: true)
        return resolved.isSpecial ? .root.appending(resolved.text) : resolved
    }

    /// Makes the nodes above one that are missing. They stay even where the rest is refused, and
    /// no event tells of them.
    private func makeParents(of path: StorePath, _ caller: Caller) throws(StoreErrorCode) {
        guard !path.isRoot else { return }
        let (_, level) = tree(of: caller).deepest(to: path.parent)
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
        guard let above = tree(of: caller).node(at: parent)?.permissions else {
            preconditionFailure("makes a node below none")
        }
        let allowed = entriesLeft(of: above.owner, caller)
        guard allowed > 0 else { throw .quota }
        guard oxenstoredAccess(of: caller.connection, above).contains(.write) else {
            throw .accessDenied
        }
        // All have the same permissions, so what may make the first may make the rest.
        let count = min(levels, allowed)
        names.removeLast(levels - count)
        apply(
            .create(StorePath(names: names[...]), levels: count, value: [], permissions: above),
            caller
        )
        caller.transaction?.log?.noteWrite(parent)
        if count < levels { throw .quota }
    }

    /// Bounds the nodes of a domain, whoever makes them.
    private func checkEntries(of owner: DomainID, _ caller: Caller) throws(StoreErrorCode) {
        guard entriesLeft(of: owner, caller) > 0 else { throw .quota }
    }

    /// The nodes that may still be made for a domain.
    private func entriesLeft(of owner: DomainID, _ caller: Caller) -> Int {
        guard !holdsAllRights(caller.connection), let limit = domains.limit(.nodes, of: owner)
        else { return .max }
        return limit - usage(of: owner, caller).nodes
    }

    private func touch(_ path: StorePath, _ caller: Caller) {
        if let transaction = caller.transaction {
            transaction.touch(path)
        } else {
            tree.touch(path)
        }
    }
}
