public import Logging
public import Reactor
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
    private let log: Logger
    private let open: (_ patience: Duration) throws(Errno) -> Transport
    private let numbers = TransactionNumbers()
    let loop: EventLoop
    let configuration: ConnectionConfiguration

    private enum State {
        case running, suspended, closed
    }

    /// The pauses between attempts to connect again: longer each time, until one is heard.
    private struct Pauses {
        let range: ClosedRange<Duration>
        var next: Duration
        /// Armed while one passes.
        var timer: TimerID?

        init(in range: ClosedRange<Duration>) {
            self.range = range
            next = range.lowerBound
        }

        mutating func begin() { next = range.lowerBound }

        mutating func grow() { next = min(next * 2, range.upperBound) }
    }

    private var link: Link?
    private var state = State.running
    private var pauses: Pauses

    /// Connects. Where too many clients wait to be accepted already it blocks, for as long as the
    /// configuration's ``ConnectionConfiguration/stallTimeout`` says; later connections never do.
    ///
    /// - Parameter log: takes each message of the protocol at the level trace, with the lengths of
    ///   values and not what they are.
    /// - Throws: the error of open(2), socket(2) or connect(2); `ENODEV` where the address names a
    ///   device, and another kind of file is there.
    public convenience init(
        to address: StoreAddress,
        on loop: EventLoop,
        configuration: ConnectionConfiguration = ConnectionConfiguration(),
        log: Logger = Logger(label: "xenstore") { _ in SwiftLogNoOpLogHandler() }
    ) throws(Errno) {
        try self.init(
            to: address,
            on: loop,
            configuration: configuration,
            log: log
        ) { patience throws(Errno) in
            try Transport(opening: address, patience: patience)
        }
    }

    /// Connects by what a test puts in the place of the address.
    package init(
        to address: StoreAddress,
        on loop: EventLoop,
        configuration: ConnectionConfiguration,
        log: Logger = Logger(label: "xenstore") { _ in SwiftLogNoOpLogHandler() },
        opening open: @escaping (_ patience: Duration) throws(Errno) -> Transport
    ) throws(Errno) {
        self.open = open
        self.log = log
        self.address = address
        self.loop = loop
        self.configuration = configuration
        pauses = Pauses(in: configuration.reconnectDelay)
        try connect(patience: configuration.stallTimeout)
    }

    deinit {
        // Whatever thread drops it: the loop still knows the descriptor and the timer.
        guard let link else { return }
        LoopBound(link, to: loop).later { link in link.close(.closed) }
    }

    public var isConnected: Bool { link != nil }

    public var payloadLimit: Int { Transport.payloadLimit(of: address) }

    /// Ends the connection. What waits fails; nothing is connected again.
    public func close() {
        state = .closed
        disconnect()
    }

    /// Ends the connection until ``resume()``. What waits fails, and so does what is sent.
    public func suspend() {
        if state == .running { state = .suspended }
        disconnect()
    }

    /// Connects again after ``suspend()``: now, or when that becomes possible.
    /// ``onReconnect`` tells.
    public func resume() {
        guard state == .suspended else { return }
        state = .running
        pauses.begin()
        reconnect()
    }

    /// Makes what is done in transactions that are open a conflict: RESET_WATCHES has ended them.
    public func dropTransactions() { link?.dropTransactions() }

    private func disconnect() {
        if let timer = pauses.timer { loop.cancel(timer) }
        pauses.timer = nil
        link?.close(.closed)
    }

    // MARK: Requests

    public func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        try await send(request, in: transaction, until: nil)
    }

    /// Sends a request and waits for its answer until a deadline.
    ///
    /// - Throws: `XenstoreError.timedOut` at the deadline; the connection lives on.
    public func send(
        _ request: Request,
        in transaction: TransactionID,
        until deadline: ContinuousClock.Instant?
    ) async throws(XenstoreError) -> [UInt8] {
        guard let link else { throw .disconnected }
        let id = try link.write(request, in: transaction)
        let timer = deadline.map { deadline in
            loop.schedule(after: deadline - .now) { link.cancel(id, .timedOut) }
        }
        defer { if let timer { loop.cancel(timer) } }
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
        await send(requests, in: transaction, until: nil)
    }

    /// Sends requests together and waits for all answers until a deadline, where those that are
    /// missing are `XenstoreError.timedOut`.
    public func send(
        _ requests: [Request],
        in transaction: TransactionID,
        until deadline: ContinuousClock.Instant?
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
                batch.complete(index, .failure(error))
            }
        }
        let timer = deadline.map { deadline in
            loop.schedule(after: deadline - .now) { batch.cancel(.timedOut) }
        }
        defer { if let timer { loop.cancel(timer) } }
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

    /// Takes what the store has sent by now, without waiting for more: events are handed to
    /// ``onEvent``, and replies to whoever waits.
    ///
    /// - Returns: whether all of it was taken. It cannot be from inside ``onEvent``, nor without a
    ///   connection.
    public func takeArrived() -> Bool { link?.takeArrived() ?? false }

    /// Leaves events with the kernel for a while, so that those that come fast are taken together.
    /// A request ends it, as does the time; ``takeArrived()`` takes what is there. Does nothing
    /// while requests wait for their replies, over the kernel's device, and with oxenstored, which
    /// would have others wait.
    public func deferReading(for duration: Duration) { link?.deferReading(for: duration) }

    // MARK: Life

    private func connect(patience: Duration) throws(Errno) {
        link = Link(
            try open(patience),
            loop: loop,
            configuration: configuration,
            payloadLimit: payloadLimit,
            numbers: numbers,
            log: log,
            onEvent: { [weak self] event in self?.onEvent(event) },
            onClose: { [weak self] reason in self?.linkClosed(reason) }
        )
    }

    private func linkClosed(_ reason: DisconnectReason) {
        // A store that takes connections and answers nothing is no better than none.
        if link?.hasAnswered == true {
            pauses.begin()
        } else {
            pauses.grow()
        }
        link = nil
        onDisconnect(reason)
        if state == .running { scheduleReconnect() }
    }

    private func scheduleReconnect() {
        pauses.timer = loop.schedule(after: pauses.next) { [weak self] in
            self?.pauses.timer = nil
            self?.reconnect()
        }
    }

    private func reconnect() {
        do throws(Errno) {
            try connect(patience: .zero)
        } catch {
            // Whatever kept it from connecting may pass: a daemon that starts, a full backlog.
            pauses.grow()
            scheduleReconnect()
            return
        }
        onReconnect()
    }
}

extension StoreConnection: Channel {
    /// A socket loses nothing.
    package var onEventsLost: () -> Void {
        get { {} }
        set {}
    }
}
