import XenstoreProtocol

/// Finding nodes with the caller's rights, and noting in its transaction what was looked at.
final class XenstoredAccess {
    private let nodes: NodeStore
    private let accounts: DomainAccounts

    init(_ state: StoreState) {
        nodes = state.nodes
        accounts = state.accounts
    }

    /// Takes a caller's path to a node.
    ///
    /// - Throws: ``StoreErrorCode/invalid`` for a special path where none may stand, and beyond
    ///   the quota `path-max`.
    func resolve(
        _ path: XenstorePath,
        _ caller: Caller,
        allowsSpecial: Bool = false
    ) throws(StoreErrorCode) -> StorePath {
        guard allowsSpecial || !path.isSpecial else { throw .invalid }
        let resolved = StorePath(path, from: caller.domain)
        try accounts.checkLength(of: resolved, caller)
        return resolved
    }

    /// Looks a node up, whatever its permissions.
    ///
    /// - Throws: ``StoreErrorCode/noSpace`` beyond the quota `transaction-nodes`, and nothing of
    ///   the transaction can be committed then.
    func look(at path: StorePath, _ caller: Caller) throws(StoreErrorCode) -> Node? {
        guard let transaction = caller.transaction else { return nodes.tree.node(at: path) }
        let node = transaction.tree.node(at: path)
        if let known = transaction.footprint.place(of: path),
            transaction.footprint.isAccessed(known)
        {
            return node
        }
        try checkAccess(transaction, caller)
        let trail = transaction.trail(to: path)
        noteAccess(trail[trail.count - 1], node, transaction, caller)
        return node
    }

    /// Notes an access to a node of a transaction's tree.
    ///
    /// - Throws: what ``look(at:_:)`` throws.
    func access(
        _ place: Int,
        _ node: Node?,
        _ transaction: Transaction,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        guard !transaction.footprint.isAccessed(place) else { return }
        try checkAccess(transaction, caller)
        noteAccess(place, node, transaction, caller)
    }

    private func checkAccess(
        _ transaction: Transaction,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        if let limit = accounts.limit(.transactionNodes, of: caller.domain),
            transaction.footprint.accessed.count >= limit
        {
            transaction.loseTrack()
            throw .noSpace
        }
    }

    private func noteAccess(
        _ place: Int,
        _ node: Node?,
        _ transaction: Transaction,
        _ caller: Caller
    ) {
        transaction.noteAccess(place, node)
        let count = transaction.footprint.accessed.count
        accounts.noteHighest(.transactionNodes, count, of: caller.domain)
    }

    /// The node at a path, if the caller may do with it what it asks; nil where none is and the
    /// caller may know that.
    ///
    /// - Throws: ``StoreErrorCode/accessDenied``; also where there is no node and the nearest one
    ///   above allows the caller nothing of the kind, so that nobody learns what exists where he
    ///   may not look.
    func find(
        _ path: StorePath,
        _ needed: AccessMode,
        _ caller: Caller
    ) throws(StoreErrorCode) -> Node? {
        if let node = try look(at: path, caller) {
            guard access(of: caller.connection, node.permissions).isSuperset(of: needed) else {
                try noteParents(of: path, caller)
                throw .accessDenied
            }
            return node
        }
        let above = try noteParents(of: path, caller)
        guard !access(of: caller.connection, above).isDisjoint(with: needed) else {
            throw .accessDenied
        }
        return nil
    }

    /// The node at a path as ``find(_:_:_:)`` gives it.
    ///
    /// - Throws: ``StoreErrorCode/noEntry`` also, where none is.
    func existing(
        _ path: StorePath,
        _ needed: AccessMode,
        _ caller: Caller
    ) throws(StoreErrorCode) -> Node {
        guard let node = try find(path, needed, caller) else { throw .noEntry }
        return node
    }

    /// What a connection may do with a node.
    func access(of connection: Connection, _ permissions: Permissions) -> AccessMode {
        if isOwner(connection, of: permissions) { return [.read, .write] }
        let entry = permissions.entries.first {
            $0.domain == .any || accounts.stands(connection, for: $0.domain)
        }
        return entry?.access ?? permissions.everyone
    }

    /// Whether a connection has all rights to a node.
    func isOwner(_ connection: Connection, of permissions: Permissions) -> Bool {
        connection.isPrivileged || accounts.stands(connection, for: permissions.owner)
    }

    /// Looks at the nodes above a path up to the nearest that exists, which is what a refusal
    /// depends on, and returns that one's permissions.
    @discardableResult
    func noteParents(
        of path: StorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) -> Permissions {
        guard !path.isRoot else { return nodes.tree(of: caller).root.permissions }
        guard let transaction = caller.transaction else {
            return nodes.tree.deepest(to: path.parent).node.permissions
        }
        let (node, level) = transaction.tree.deepest(to: path.parent)
        let trail = transaction.trail(to: path.parent)
        for above in (level..<trail.count).reversed() {
            try access(trail[above], above == level ? node : nil, transaction, caller)
        }
        return node.permissions
    }
}
