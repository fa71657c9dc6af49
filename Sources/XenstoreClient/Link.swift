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
    private let log: Logger
    private let onEvent: (WatchEvent) -> Void
    private let onClose: (DisconnectReason) -> Void

    /// What each request and each reply goes through.
    private struct State {
        var machine: ClientStateMachine<Waiter>
        var decoder = MessageDecoder(directoryLimit: ProtocolLimits.oversizedListing)
        var output: OutputQueue
        var transactions: TransactionTable
    }

    /// What is to be done before the channel takes more.
    private struct Writing {
        var isScheduled = false
        var waitsForRoom = false
    }

    /// Events that are left with the kernel.
    private struct Hold {
        let isAllowed: Bool
        /// For how long they are to be left there, once none is there.
        var wanted: Duration?
        /// Armed while they are.
        var timer: TimerID?
    }

    /// What the store has answered, and by when it must go on.
    private struct Progress {
        let timeout: Duration
        /// Armed while requests wait.
        var timer: TimerID?
        /// Whether an answer has come since it was armed.
        var isSeen = false
        /// Whether an answer has ever come.
        var hasAnswered = false

        mutating func answered() {
            isSeen = true
            hasAnswered = true
        }
    }

    /// Behind a pointer, as the loop's own state is: for properties of a class each access is
    /// checked for others that it might overlap.
    private let state: UnsafeMutablePointer<State>
    private var source: SourceID?
    private var isOpen = true
    private var isDelivering = false
    private var writing = Writing()
    private var hold: Hold
    private var progress: Progress

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
        self.log = log
        self.onEvent = onEvent
        self.onClose = onClose
        hold = Hold(isAllowed: transport.mayLeaveEventsUnread)
        progress = Progress(timeout: configuration.stallTimeout)
        let isDevice = transport.writesSingleMessages
        let limit =
            isDevice ? configuration.deviceOutstandingLimit : configuration.outstandingLimit
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(
                machine: ClientStateMachine(watchRepliesMayBeUnnumbered: isDevice),
                output: OutputQueue(outstandingLimit: limit, payloadLimit: payloadLimit),
                transactions: TransactionTable(numbers)
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

    /// Whether the store has ever answered.
    var hasAnswered: Bool { progress.hasAnswered }

    // MARK: Requests

    /// Queues a request; it goes out before the loop next waits, together with others.
    func write(
        _ request: Request,
        in transaction: TransactionID
    ) throws(XenstoreError) -> RequestID {
        guard isOpen else { throw .disconnected }
        let transactionID = try state.pointee.transactions.storeNumber(of: transaction)
        guard let id = state.pointee.machine.sent(request.type, waiter: .nobody) else {
            throw .tooMany
        }
        let fits = state.pointee.output.append(
            request,
            requestID: id,
            transactionID: transactionID
        )
        guard fits else {
            _ = state.pointee.machine.cancelled(id, wasWritten: false)
            throw .tooLarge
        }
        if isTracing { trace(request, id, transactionID) }
        if case .transactionEnd = request { state.pointee.transactions.ended(transaction) }
        if let timer = hold.timer { endHold(timer) }
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
    func dropTransactions() { state.pointee.transactions.removeAll() }

    func close(_ reason: DisconnectReason) {
        guard isOpen else { return }
        dropTransactions()
        isOpen = false
        if let source { loop.remove(source) }
        if let timer = progress.timer { loop.cancel(timer) }
        if let timer = hold.timer { loop.cancel(timer) }
        transport.descriptor.closeIgnoringErrors()
        let error: XenstoreError = reason == .stalled ? .timedOut : .disconnected
        for waiter in state.pointee.machine.closed() {
            waiter.resume(.failure(error))
        }
        onClose(reason)
    }

    // MARK: Writing

    private func scheduleFlush() {
        guard !writing.isScheduled, !writing.waitsForRoom else { return }
        writing.isScheduled = true
        // Not weakly: an object that ever had a weak reference is slower to retain for good.
        loop.later {
            self.writing.isScheduled = false
            self.flush()
        }
    }

    private func flush() {
        guard isOpen else { return }
        while true {
            switch state.pointee.output.write(to: transport) {
            case .done: return waitForRoom(false)
            case .wouldBlock: return waitForRoom(true)
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

    private func waitForRoom(_ waits: Bool) {
        guard waits != writing.waitsForRoom, let source else { return }
        writing.waitsForRoom = waits
        loop.update(source, interest: waits ? [.readable, .writable] : .readable)
    }

    /// Leaves events with the kernel for a while when those that are there were taken, unless
    /// requests wait for their replies, or the store does not take it well.
    func deferReading(for duration: Duration) {
        if hold.isAllowed { hold.wanted = duration }
    }

    /// Begins to hold if few events came: fewer bytes than were asked for were all that was there.
    ///
    /// - Parameter taken: the bytes that came last.
    private func beginHold(after taken: Int) {
        guard let duration = hold.wanted else { return }
        hold.wanted = nil
        guard taken < Self.flood, isOpen, let source, hold.timer == nil, !writing.waitsForRoom,
            state.pointee.machine.outstandingCount == 0
        else { return }
        loop.update(source, interest: [])
        hold.timer = loop.schedule(after: duration) { [unowned self] in
            if let timer = hold.timer { endHold(timer) }
            // Nearly always some are there: no wait has to tell.
            beginHold(after: takeAvailable())
        }
    }

    private func endHold(_ timer: TimerID) {
        loop.cancel(timer)
        hold.timer = nil
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
        hold.wanted = nil
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
        let number = state.pointee.transactions.began(transaction)
        if let waiter {
            waiter.resume(.success(Array("\(number.rawValue)\0".utf8)))
        } else if let id = try? write(.transactionEnd(commit: false), in: number) {
            wait(for: id, .nobody)
        }
    }

    private func answered() {
        progress.answered()
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
        guard progress.timer == nil else { return }
        progress.isSeen = false
        progress.timer = loop.schedule(after: progress.timeout) { [unowned self] in
            progress.timer = nil
            guard state.pointee.machine.outstandingCount > 0 else { return }
            progress.isSeen ? watchForStall() : close(.stalled)
        }
    }
}
