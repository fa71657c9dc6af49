/// Why nothing of a transaction has happened, so that it is worth beginning anew.
public enum TransactionFailure: Hashable, Sendable {
    /// Changes of others got in its way.
    case conflict
    /// The store does not have it any more: after a restart, or a live update that was forced.
    case lost

    /// Takes a refusal of a request that was made in a transaction.
    ///
    /// - Returns: nil where it is about the request alone.
    public init?(_ code: StoreErrorCode, of type: MessageType, path: String? = nil) {
        switch (type, code) {
        case (_, .again):
            self = .conflict
        case (.transactionEnd, .noMemory):
            // C xenstored 4.18 to 4.21: a commit that removes a guest's keys which others have
            // removed since would leave the guest with fewer than none. That is asked before it
            // looks for conflicts.
            self = .conflict
        case (.transactionEnd, .noEntry):
            self = .lost
        case (.read, .noEntry), (.directory, .noEntry), (.getPermissions, .noEntry),
            (.read, .ioError), (.directory, .ioError), (.getPermissions, .ioError):
            // The root is always there. C xenstored says ENOENT of an unknown transaction, and
            // oxenstored EIO.
            guard path == XenstorePath.root.text else { return nil }
            self = .lost
        default:
            return nil
        }
    }
}

extension XenstoreError {
    /// What a failure of a request in a transaction says of the transaction.
    public func transactionFailure(of request: Request) -> TransactionFailure? {
        guard case .refused(let code) = self else { return nil }
        return TransactionFailure(code, of: request.type, path: request.path?.text)
    }
}
