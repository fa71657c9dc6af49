import Logging
import Reactor
import SystemPackage
import XenstoreProtocol

/// One life of a connection, from its opening to its first failure: reads, writes, and drives the
/// client's state machine.
final class Link {
    /// Bytes that are asked for at each read: the kernel's buffer of a unix socket holds about as
    /// many.
    private static let readSize = 65536

    /// Bytes at once that are no single changes any more: some thirty events, which have gathered
    /// by themselves.
    private static let flood = 2048

    private let transport: Transport
    private let loop: EventLoop
    private let configuration: ConnectionConfiguration
    private let payloadLimit: Int
    private let numbers: TransactionNumbers
    private let log: Logger
    private let onEvent: (WatchEvent) -> Void
    private let onClose: (DisconnectReason) -> Void

    /// What each request and each reply goes through.
    private struct State {
        var machine: ClientStateMachine<Waiter>
        var decoder = MessageDecoder(directoryLimit: ProtocolLimits.oversizedListing)
        var output: OutputQueue
    }

    /// Behind a pointer, as the loop's own state is: for properties of a class each access is
    /// checked for others that it might overlap.
    private let state: UnsafeMutablePointer<State>
    /// The store's own number of each transaction that is open.
    private var transactions: [TransactionID: TransactionID] = [:]
    private var source: SourceID?
    private var isOpen = true
    private var isFlushScheduled = false
    private var isDelivering = false
    private var isWaitingToWrite = false
    private let mayHoldEvents: Bool
    /// For how long events are to be left with the kernel, once none is there.
    private var wantedHold: Duration?
    /// Armed while events are left with the kernel.
    private var holdTimer: TimerID?
    private var stallTimer: TimerID?
    private var hasProgressed = false
    /// Whether the store has ever answered.
    private(set) var hasAnswered = false

    init(
        _ transport: Transport,
        loop: EventLoop,
        configuration: ConnectionConfiguration,
        payloadLimit: Int,
        numbers: TransactionNumbers,
        log: Logger,
        onEvent: @escaping (WatchEvent) -> Void,
        onClose: @escaping (DisconnectReason) -> Void
    ) {
        self.transport = transport
        self.loop = loop
        self.configuration = configuration
        self.payloadLimit = payloadLimit
        self.numbers = numbers
        self.log = log
        self.onEvent = onEvent
        self.onClose = onClose
        mayHoldEvents = transport.mayLeaveEventsUnread
        let isDevice = transport.writesSingleMessages
        let limit =
            isDevice ? configuration.deviceOutstandingLimit : configuration.outstandingLimit
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(
                machine: ClientStateMachine(watchRepliesMayBeUnnumbered: isDevice),
                output: OutputQueue(outstandingLimit: limit)
            )
        )
        source = loop.add(transport.descriptor, for: .readable) { [unowned self] readiness in
            ready(readiness)
        }
    }

    deinit {
        // Only where the loop has ended before it could close this: it calls no handler any more.
        if isOpen { transport.descriptor.closeIgnoringErrors() }
        state.deinitialize(count: 1)
        state.deallocate()
    }

    // MARK: Requests

    /// Queues a request; it goes out before the loop next waits, together with others.
    func write(
        _ request: Request,
        in transaction: TransactionID
    ) throws(XenstoreError) -> RequestID {
        guard isOpen else { throw .disconnected }
        let transactionID = try storeNumber(of: transaction, for: request)
        guard let id = state.pointee.machine.sent(request.type, waiter: .nobody) else {
            throw .tooMany
        }
        let fits = state.pointee.output.append(
            request,
            requestID: id,
            transactionID: transactionID,
            payloadLimit: payloadLimit
        )
        guard fits else {
            _ = state.pointee.machine.cancelled(id, wasWritten: false)
            throw .tooLarge
        }
        if isTracing { trace(request, id, transactionID) }
        if case .transactionEnd = request { transactions[transaction] = nil }
        if let holdTimer { endHold(holdTimer) }
        scheduleFlush()
        watchForStall()
        return id
    }

    /// Names who waits for a request that was just written.
    func wait(for id: RequestID, _ waiter: Waiter) {
        if !state.pointee.machine.setWaiter(waiter, for: id) {
            waiter.resume(.failure(.disconnected))
        }
    }

    /// Frees whoever waits for a request's answer.
    func cancel(_ id: RequestID, _ error: XenstoreError = .cancelled) {
        state.pointee.machine.cancelled(id)?.resume(.failure(error))
    }

    /// The store has ended all transactions by itself.
    func dropTransactions() { transactions = [:] }

    /// A transaction belongs to the connection that it was begun on: an older one, whose number
    /// the store may have given to another since, is lost.
    private func storeNumber(
        of transaction: TransactionID,
        for request: Request
    ) throws(XenstoreError) -> TransactionID {
        guard transaction != .none else { return .none }
        guard let number = transactions[transaction] else { throw .refused(.again) }
        return number
    }

    func close(_ reason: DisconnectReason) {
        guard isOpen else { return }
        transactions = [:]
        isOpen = false
        if let source { loop.remove(source) }
        if let stallTimer { loop.cancel(stallTimer) }
        if let holdTimer { loop.cancel(holdTimer) }
        transport.descriptor.closeIgnoringErrors()
        let error: XenstoreError = reason == .stalled ? .timedOut : .disconnected
        for waiter in state.pointee.machine.closed() {
            waiter.resume(.failure(error))
        }
        onClose(reason)
    }

    // MARK: Writing

    private func scheduleFlush() {
        guard !isFlushScheduled, !isWaitingToWrite else { return }
        isFlushScheduled = true
        // Not weakly: an object that ever had a weak reference is slower to retain for good.
        loop.later {
            self.isFlushScheduled = false
            self.flush()
        }
    }

    private func flush() {
        guard isOpen else { return }
        while true {
            switch state.pointee.output.write(to: transport) {
            case .done: return setWaitingToWrite(false)
            case .wouldBlock: return setWaitingToWrite(true)
            case .requestFailed(let id, let error):
                // Over the kernel's device a request may fail by itself, and no reply comes.
                let code = StoreErrorCode(deviceError: error)
                state.pointee.machine.cancelled(id, wasWritten: false)?.resume(
                    .failure(.refused(code))
                )
                _ = state.pointee.output.answered()
            case .failed(let error): return close(.failed(error))
            }
        }
    }

    private func setWaitingToWrite(_ waits: Bool) {
        guard waits != isWaitingToWrite, let source else { return }
        isWaitingToWrite = waits
        loop.update(source, interest: waits ? [.readable, .writable] : .readable)
    }

    /// Leaves events with the kernel for a while when those that are there were taken, unless
    /// requests wait for their replies, or the store does not take it well.
    func deferReading(for duration: Duration) {
        if mayHoldEvents { wantedHold = duration }
    }

    /// Begins to hold if few events came: fewer bytes than were asked for were all that was there.
    ///
    /// - Parameter taken: the bytes that came last.
    private func beginHold(after taken: Int) {
        guard let duration = wantedHold else { return }
        wantedHold = nil
        guard taken < Self.flood, isOpen, let source, holdTimer == nil, !isWaitingToWrite,
            state.pointee.machine.outstandingCount == 0
        else { return }
        loop.update(source, interest: [])
        holdTimer = loop.schedule(after: duration) { [unowned self] in
            if let holdTimer { endHold(holdTimer) }
            // Nearly always some are there: no wait has to tell.
            beginHold(after: takeAvailable())
        }
    }

    private func endHold(_ timer: TimerID) {
        loop.cancel(timer)
        holdTimer = nil
        if let source { loop.update(source, interest: .readable) }
    }

    // MARK: Reading

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        guard !readiness.isDisjoint(with: [.readable, .failed]) else { return }
        beginHold(after: takeAvailable())
    }

    /// Takes what has arrived, without waiting.
    ///
    /// - Returns: false if that is going on already, further up.
    func takeArrived() -> Bool {
        guard !isDelivering else { return false }
        while takeAvailable() >= Self.readSize {}
        wantedHold = nil
        return isOpen
    }

    /// Takes what one read gives.
    ///
    /// - Returns: how many bytes that was.
    private func takeAvailable() -> Int {
        guard isOpen else { return 0 }
        var isAtEnd = false
        var failure: Errno?
        let taken = state.pointee.decoder.fill(minimumCapacity: Self.readSize) { buffer in
            do throws(Errno) {
                let count = try transport.descriptor.readAvailable(into: buffer)
                isAtEnd = count == 0
                return count ?? 0
            } catch {
                failure = error
                return 0
            }
        }
        if let failure {
            close(.failed(failure))
            return 0
        }
        if isAtEnd {
            close(.endOfStream)
        } else if taken > 0 {
            deliver()
        }
        return taken
    }

    private func deliver() {
        isDelivering = true
        defer { isDelivering = false }
        do throws(ProtocolViolation) {
            while isOpen, let message = try state.pointee.decoder.next() {
                if isTracing { trace(message) }
                switch state.pointee.machine.received(message) {
                case .resume(let waiter, let answer):
                    answered()
                    waiter.resume(answer)
                case .began(let transaction, let waiter):
                    answered()
                    began(transaction, waiter)
                case .ignore:
                    answered()
                case .event(let event):
                    // What the replies before it have set going comes first.
                    loop.drainJobs()
                    // Which may have ended the connection, and whoever owns it.
                    guard isOpen else { return }
                    onEvent(event)
                case .violation(let violation):
                    throw violation
                }
            }
        } catch {
            close(.violation(error))
        }
    }

    private func began(_ transaction: TransactionID, _ waiter: Waiter?) {
        let number = numbers.next()
        transactions[number] = transaction
        if let waiter {
            waiter.resume(.success(Array("\(number.rawValue)\0".utf8)))
        } else if let id = try? write(.transactionEnd(commit: false), in: number) {
            wait(for: id, .nobody)
        }
    }

    private func answered() {
        hasProgressed = true
        hasAnswered = true
        if state.pointee.output.answered() { scheduleFlush() }
    }

    // MARK: Tracing

    // Without a comparison of levels, which is generic code of another module.
    private var isTracing: Bool {
        if case .trace = log.logLevel { true } else { false }
    }

    private func trace(
        _ request: Request,
        _ id: RequestID,
        _ transaction: TransactionID
    ) {
        var text = "send \(request.type.name)"
        if let path = request.path { text += " \(path)" }
        if case .write(_, let value) = request { text += " (\(value.count) bytes)" }
        log.trace("\(text)", metadata: Self.numbers(id, transaction))
    }

    private func trace(_ message: Message) {
        let type = message.type?.name ?? "type \(message.rawType)"
        var text = "receive \(type)"
        if message.type == .watchEvent {
            // A path and a token.
            text += " \(String(decoding: message.payload.prefix { $0 != 0 }, as: UTF8.self))"
        } else {
            text += " (\(message.payload.count) bytes)"
        }
        log.trace("\(text)", metadata: Self.numbers(message.requestID, message.transactionID))
    }

    private static func numbers(_ id: RequestID, _ transaction: TransactionID) -> Logger.Metadata {
        var numbers: Logger.Metadata = ["message": "\(id.rawValue)"]
        if transaction != .none { numbers["transaction"] = "\(transaction.rawValue)" }
        return numbers
    }

    // MARK: Stalls

    /// One timer, armed while requests wait, rather than one for each request.
    private func watchForStall() {
        guard stallTimer == nil else { return }
        hasProgressed = false
        stallTimer = loop.schedule(after: configuration.stallTimeout) { [unowned self] in
            stallTimer = nil
            guard state.pointee.machine.outstandingCount > 0 else { return }
            hasProgressed ? watchForStall() : close(.stalled)
        }
    }
}
