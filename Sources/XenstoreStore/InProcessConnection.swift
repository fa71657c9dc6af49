public import XenstoreProtocol

/// A connection to a store in the same process. Requests are answered at once: their `async`
/// methods never suspend.
///
/// Events are not delivered from inside a request, since the user may be in the middle of one.
/// They queue: ``onEventsPending`` tells that there are some, and ``takeEvents()`` gives them.
public final class InProcessConnection: XenstoreAccess {
    /// How many events wait at most. What comes beyond is dropped, and
    /// ``takeEventsLost()`` tells so.
    public static let maximumPendingEvents = 65536

    /// Called when the first event comes to an empty queue: now is the time to arrange for a call
    /// of ``takeEvents()``, not to make it.
    public var onEventsPending: (() -> Void)?

    /// Called when the store ends the connection, because its domain was released.
    public var onClose: (() -> Void)?

    private let host: StoreHost
    private let queue = PendingEvents(limit: InProcessConnection.maximumPendingEvents)
    private var id: ConnectionID?

    /// Opens a connection with the rights of a domain.
    public init(host: StoreHost, as domain: DomainID = .privileged) {
        self.host = host
        id = host.attach(as: domain) { [weak self] delivery in
            self?.receive(delivery)
        }
    }

    deinit {
        if let id { host.detach(id) }
    }

    /// Ends the connection, its watches and its transactions. Requests fail from now on.
    public func close() {
        if let id { host.detach(id) }
        id = nil
    }

    /// Bytes of payload that one request may have.
    public var payloadLimit: Int { ProtocolLimits.payloadSize }

    /// The events that came since the last call, in order; of equal ones only the first.
    public func takeEvents() -> [WatchEvent] { queue.takeAll() }

    /// Whether events were dropped since the last call because the queue was full: then anything
    /// that is watched may have changed.
    public func takeEventsLost() -> Bool { queue.takeOverflow() }

    public func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        try perform(request, in: transaction).get()
    }

    public func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        requests.map { perform($0, in: transaction) }
    }

    public func post(_ request: Request, in transaction: TransactionID) {
        _ = perform(request, in: transaction)
    }

    /// Carries a request out: `send` for callers that are not `async`.
    public func perform(
        _ request: Request,
        in transaction: TransactionID = .none
    ) -> Result<[UInt8], XenstoreError> {
        guard let id else { return .failure(.disconnected) }
        let payload = request.payload
        guard payload.count <= payloadLimit else { return .failure(.tooLarge) }
        let message = Message(request.type, transactionID: transaction, payload: payload)
        guard let reply = host.answer(message, from: id) else { return .failure(.disconnected) }
        guard reply.type == .error else { return .success(reply.payload) }
        let name = String(decoding: reply.payload.prefix { $0 != 0 }, as: UTF8.self)
        return .failure(.refused(StoreErrorCode(name: name)))
    }

    private func receive(_ delivery: StoreHost.Delivery) {
        switch delivery {
        case .message(let message): receive(message)
        case .events(let batch): batch.messages.forEach(receive)
        case .closed:
            id = nil
            onClose?()
        }
    }

    private func receive(_ message: Message) {
        guard let event = WatchEvent(payload: message.payload) else { return }
        if queue.append(event) { onEventsPending?() }
    }
}
