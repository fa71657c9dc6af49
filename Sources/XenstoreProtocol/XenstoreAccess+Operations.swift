extension XenstoreAccess {
    /// The value of a key. The corresponding operation is READ.
    public func read(
        _ path: XenstorePath,
        in transaction: TransactionID = .none
    ) async throws(XenstoreError) -> [UInt8] {
        try await send(.read(path), in: transaction)
    }

    /// Sets the value of a key; makes it and its parents where missing. The corresponding
    /// operation is WRITE.
    public func write(
        _ value: [UInt8],
        to path: XenstorePath,
        in transaction: TransactionID = .none
    ) async throws(XenstoreError) {
        _ = try await send(.write(path, value: value), in: transaction)
    }

    /// Makes a key with an empty value, unless it exists. The corresponding operation is MKDIR.
    public func makeDirectory(
        _ path: XenstorePath,
        in transaction: TransactionID = .none
    ) async throws(XenstoreError) {
        _ = try await send(.makeDirectory(path), in: transaction)
    }

    /// Removes a key and all below it. The corresponding operation is RM.
    public func remove(
        _ path: XenstorePath,
        in transaction: TransactionID = .none
    ) async throws(XenstoreError) {
        _ = try await send(.remove(path), in: transaction)
    }

    /// The permissions of a key. The corresponding operation is GET_PERMS.
    public func permissions(
        of path: XenstorePath,
        in transaction: TransactionID = .none
    ) async throws(XenstoreError) -> Permissions {
        let payload = try await send(.getPermissions(path), in: transaction)
        guard let permissions = Permissions(payload: payload) else { throw .malformedReply }
        return permissions
    }

    /// Replaces the permissions of a key. The corresponding operation is SET_PERMS.
    public func setPermissions(
        _ permissions: Permissions,
        of path: XenstorePath,
        in transaction: TransactionID = .none
    ) async throws(XenstoreError) {
        _ = try await send(.setPermissions(path, permissions), in: transaction)
    }
}
