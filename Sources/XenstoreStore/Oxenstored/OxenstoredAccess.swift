import XenstoreProtocol

/// Paths and rights as oxenstored has them: rights are asked of a node alone, and the two special
/// paths are nodes.
final class OxenstoredAccess {
    private let accounts: DomainAccounts

    init(_ state: StoreState) {
        accounts = state.accounts
    }

    /// Takes a caller's path to a node.
    ///
    /// - Throws: ``StoreErrorCode/invalid`` beyond the quota `path-max`.
    func resolve(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) -> StorePath {
        let resolved = StorePath(path, from: caller.domain)
        try accounts.checkLength(of: resolved, caller)
        return resolved.isSpecial ? .root.appending(resolved.text) : resolved
    }

    /// What a connection may do with a node, by its own rights or by those of its target.
    func access(of connection: Connection, _ permissions: Permissions) -> AccessMode {
        if isOwner(connection, of: permissions) { return [.read, .write] }
        let own = permissions.access(of: connection.domain)
        guard let target = accounts[connection.domain].target else { return own }
        return own.union(permissions.access(of: target))
    }

    /// - Throws: ``StoreErrorCode/accessDenied`` if the caller may not do with a node what it asks.
    func check(
        _ needed: AccessMode,
        _ node: Node,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        guard access(of: caller.connection, node.permissions).isSuperset(of: needed) else {
            throw .accessDenied
        }
    }

    func isOwner(_ connection: Connection, of permissions: Permissions) -> Bool {
        holdsAllRights(connection) || accounts.stands(connection, for: permissions.owner)
    }

    /// Whether a connection has all rights: also where it is the stub domain of the privileged one.
    func holdsAllRights(_ connection: Connection) -> Bool {
        accounts.stands(connection, for: .privileged)
    }

    /// Whether a connection may hear of what can be read by any of these permissions.
    func mayHear(_ connection: Connection, _ readable: [Permissions]) -> Bool {
        readable.contains { access(of: connection, $0).contains(.read) }
    }
}
