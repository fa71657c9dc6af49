/// What a user of a store needs of it. A client's connection, a store in the same process, and
/// decorators that make either fail all satisfy it.
///
/// Everything else (``read(_:in:)``, listings, transactions) is built on these few requirements.
public protocol XenstoreAccess: AnyObject {
    /// Bytes of payload that one request may have.
    var payloadLimit: Int { get }

    /// Sends a request and waits for its answer.
    ///
    /// - Returns: the payload of the reply.
    func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8]

    /// Sends requests together, without waiting in between, and waits for all answers.
    ///
    /// - Returns: the answers in the order of the requests.
    func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>]

    /// Sends a request whose answer nobody waits for.
    func post(_ request: Request, in transaction: TransactionID)
}
