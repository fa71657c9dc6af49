import Reactor
import XenstoreClient
import XenstoreProtocol
import XenstoreStore

/// A store in the same process, as a client's channel.
final class InProcessChannel: Channel {
    var onEvent: (WatchEvent) -> Void = { _ in }
    var onEventsLost: () -> Void = {}
    var onReconnect: () -> Void = {}
    var onDisconnect: (DisconnectReason) -> Void = { _ in }

    private let host: StoreHost
    private let domain: DomainID
    private let loop: EventLoop
    private var connection: InProcessConnection?

    init(host: StoreHost, as domain: DomainID, on loop: EventLoop) {
        self.host = host
        self.domain = domain
        self.loop = loop
        connect()
    }

    var payloadLimit: Int { ProtocolLimits.payloadSize }

    var isConnected: Bool { connection != nil }

    func send(
        _ request: Request,
        in transaction: TransactionID,
        until deadline: ContinuousClock.Instant?
    ) async throws(XenstoreError) -> [UInt8] {
        try perform(request, in: transaction).get()
    }

    func send(
        _ requests: [Request],
        in transaction: TransactionID,
        until deadline: ContinuousClock.Instant?
    ) async -> [Result<[UInt8], XenstoreError>] {
        requests.map { perform($0, in: transaction) }
    }

    func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        try perform(request, in: transaction).get()
    }

    func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        requests.map { perform($0, in: transaction) }
    }

    func post(_ request: Request, in transaction: TransactionID) {
        _ = perform(request, in: transaction)
    }

    private func perform(
        _ request: Request,
        in transaction: TransactionID
    ) -> Result<[UInt8], XenstoreError> {
        connection?.perform(request, in: transaction) ?? .failure(.disconnected)
    }

    func suspend() { disconnect(.closed) }

    func resume() {
        guard connection == nil else { return }
        connect()
        onReconnect()
    }

    /// Who holds a number of an earlier connection is told by ``ClientCore``.
    func dropTransactions() {}

    func close() { disconnect(.closed) }

    private func connect() {
        let connection = InProcessConnection(host: host, as: domain)
        connection.onEventsPending = { [loop, weak self] in
            loop.later { self?.deliver() }
        }
        connection.onClose = { [weak self] in self?.disconnect(.endOfStream) }
        self.connection = connection
    }

    private func disconnect(_ reason: DisconnectReason) {
        guard let connection else { return }
        self.connection = nil
        connection.close()
        onDisconnect(reason)
    }

    private func deliver() {
        guard let connection else { return }
        if connection.takeEventsLost() { onEventsLost() }
        for event in connection.takeEvents() { onEvent(event) }
    }
}
