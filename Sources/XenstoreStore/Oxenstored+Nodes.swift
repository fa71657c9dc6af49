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
        var names: [String] = []
        try readable(path, caller).children.forEach { names.append($0.name) }
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
            apply(.create(path, value: value, permissions: nearest.permissions), caller)
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
    func oxenstoredAccess(of connection: Connection, _ permissions: Permissions) -> Access {
        if isOxenstoredOwner(connection, of: permissions) { return [.read, .write] }
        let own = permissions.access(of: connection.domain)
        guard let target = domains[connection.domain].target else { return own }
        return own.union(permissions.access(of: target))
    }

    private func isOxenstoredOwner(_ connection: Connection, of permissions: Permissions) -> Bool {
        holdsAllRights(connection) || stands(connection, for: permissions.owner)
    }

    private func check(
        _ needed: Access,
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
        var missing: [StorePath] = []
        var above = path.parent
        while tree(of: caller).node(at: above) == nil {
            missing.append(above)
            above = above.parent
        }
        for path in missing.reversed() { try make(path, caller) }
    }

    /// Makes a node below one that exists.
    private func make(_ path: StorePath, _ caller: Caller) throws(StoreErrorCode) {
        guard let parent = tree(of: caller).node(at: path.parent) else {
            preconditionFailure("makes a node below none")
        }
        try checkEntries(of: parent.permissions.owner, caller)
        try check(.write, parent, caller)
        apply(.create(path, value: [], permissions: parent.permissions), caller)
        caller.transaction?.log?.noteWrite(path.parent)
    }

    /// Bounds the nodes of a domain, whoever makes them.
    private func checkEntries(of owner: DomainID, _ caller: Caller) throws(StoreErrorCode) {
        guard !holdsAllRights(caller.connection), let limit = domains.limit(.nodes, of: owner)
        else { return }
        guard usage(of: owner, caller).nodes < limit else { throw .quota }
    }

    private func touch(_ path: StorePath, _ caller: Caller) {
        if let transaction = caller.transaction {
            transaction.tree.touch(path)
        } else {
            tree.touch(path)
        }
    }
}
