public import EventLoop
public import SystemPackage
public import XenstoreProtocol

/// A connection to a store that many tasks share, on one event loop.
///
/// It belongs to its loop's thread. When it breaks, what waits fails, what is sent fails at once,
/// and it connects again by itself.
public final class StoreConnection: XenstoreAccess {
    /// Called on the loop, in the order of the wire, for each event of a watch. What the replies
    /// before an event have set going has run when the event comes.
    public var onEvent: (WatchEvent) -> Void = { _ in }

    /// Called on the loop when a connection has been made again: no watch is set.
    public var onReconnect: () -> Void = {}

    /// Called on the loop when the connection is lost, with the reason.
    public var onDisconnect: (DisconnectReason) -> Void = { _ in }

    public let address: StoreAddress
    public let payloadLimit: Int
    let loop: EventLoop
    let configuration: ConnectionConfiguration

    var link: Link?
    private var reconnectDelay: Duration
    private var reconnectTimer: TimerID?
    private var isClosed = false

    /// Connects, without waiting.
    ///
    /// - Throws: the error of open(2), socket(2) or connect(2).
    public init(
        to address: StoreAddress,
        on loop: EventLoop,
        configuration: ConnectionConfiguration = ConnectionConfiguration()
    ) throws(Errno) {
        self.address = address
        self.loop = loop
        self.configuration = configuration
        payloadLimit = Transport.payloadLimit(of: address)
        reconnectDelay = configuration.reconnectDelay.lowerBound
        try connect()
    }

    public var isConnected: Bool { link != nil }

    /// Ends the connection. What waits fails; nothing is connected again.
    public func close() {
        isClosed = true
        if let timer = reconnectTimer { loop.cancel(timer) }
        link?.close(.closed)
    }

    // MARK: Requests

    public func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        guard let link else { throw .disconnected }
        let id = try link.write(request, in: transaction)
        let canceller = LoopBound(link, to: loop)
        let answer = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                link.wait(for: id, .task(continuation))
            }
        } onCancel: {
            // Later, never at once: the waiter may not be there yet.
            canceller.later { link in link.cancel(id) }
        }
        return try answer.get()
    }

    public func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        guard !requests.isEmpty else { return [] }
        guard let link else {
            return Array(repeating: .failure(.disconnected), count: requests.count)
        }
        let batch = Batch(count: requests.count)
        for (index, request) in requests.enumerated() {
            do throws(XenstoreError) {
                let id = try link.write(request, in: transaction)
                link.wait(for: id, .batch(batch, index))
            } catch {
                batch.settle(index, .failure(error))
            }
        }
        let canceller = LoopBound(batch, to: loop)
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                batch.wait(continuation)
            }
        } onCancel: {
            canceller.later { batch in batch.cancel() }
        }
    }

    public func post(_ request: Request, in transaction: TransactionID) {
        guard let link, let id = try? link.write(request, in: transaction) else { return }
        link.wait(for: id, .nobody)
    }

    // MARK: Life

    private func connect() throws(Errno) {
        let transport = try Transport(opening: address)
        link = Link(
            transport,
            loop: loop,
            configuration: configuration,
            payloadLimit: payloadLimit,
            onEvent: { [unowned self] event in onEvent(event) },
            onClose: { [unowned self] reason in linkClosed(reason) }
        )
    }

    private func linkClosed(_ reason: DisconnectReason) {
        // A store that takes connections and answers nothing is no better than none.
        if link?.hasAnswered == true {
            reconnectDelay = configuration.reconnectDelay.lowerBound
        } else {
            slowDown()
        }
        link = nil
        onDisconnect(reason)
        if !isClosed { scheduleReconnect() }
    }

    private func scheduleReconnect() {
        reconnectTimer = loop.schedule(after: reconnectDelay) { [unowned self] in
            reconnectTimer = nil
            do throws(Errno) {
                try connect()
            } catch {
                // Whatever kept it from connecting may pass: a daemon that starts, a full backlog.
                slowDown()
                scheduleReconnect()
                return
            }
            onReconnect()
        }
    }

    private func slowDown() {
        reconnectDelay = min(reconnectDelay * 2, configuration.reconnectDelay.upperBound)
    }
}
