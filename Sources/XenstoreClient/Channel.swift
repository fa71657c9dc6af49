package import XenstoreProtocol

/// What carries a client's requests: a ``StoreConnection``, or a store in the same process. It
/// belongs to the loop's thread.
package protocol Channel: XenstoreAccess {
    /// Called for each event of a watch.
    var onEvent: (WatchEvent) -> Void { get set }
    /// Called when events were dropped: anything that is watched may have changed.
    var onEventsLost: () -> Void { get set }
    /// Called when it is connected again, with no watch set.
    var onReconnect: () -> Void { get set }
    /// Called when it is lost: watches and transactions are gone.
    var onDisconnect: (DisconnectReason) -> Void { get set }

    var isConnected: Bool { get }

    /// Sends a request and waits for its answer, at most until the deadline.
    func send(
        _ request: Request,
        in transaction: TransactionID,
        until deadline: ContinuousClock.Instant?
    ) async throws(XenstoreError) -> [UInt8]

    /// Sends requests together, and waits for all answers, at most until the deadline.
    func send(
        _ requests: [Request],
        in transaction: TransactionID,
        until deadline: ContinuousClock.Instant?
    ) async -> [Result<[UInt8], XenstoreError>]

    /// Lets the connection go until ``resume()``.
    func suspend()

    /// Connects again, now or as soon as that is possible.
    func resume()

    func dropTransactions()

    /// Ends it for good.
    func close()
}
