import Reactor
import SystemPackage
import XenstoreProtocol
import XenstoreStore

/// A buffer for what is read at once: a session keeps only what is no whole message yet.
final class InputScratch {
    let bytes: UnsafeMutableRawBufferPointer

    init(size: Int) {
        bytes = .allocate(byteCount: size, alignment: 16)
    }

    deinit { bytes.deallocate() }
}

/// What all sessions of a server have in common.
final class SessionEnvironment {
    let host: StoreHost
    let limits: SessionLimits
    let shares: FairShare
    /// What is read at once goes there first.
    let scratch: InputScratch
    let loop: EventLoop

    init(_ host: StoreHost, _ limits: SessionLimits, sharing shares: FairShare, on loop: EventLoop)
    {
        self.host = host
        self.limits = limits
        self.shares = shares
        scratch = InputScratch(size: limits.inputPerTurn)
        self.loop = loop
    }
}

/// One client of a server: its requests go to the store, what the store says goes back.
final class Session {
    /// The descriptor on the loop.
    private struct Source {
        let id: SourceID
        var interest: Readiness = .readable
    }

    /// Counts what waits for a guest towards its quotas.
    private struct Account {
        let domain: DomainID
        private let host: StoreHost
        private var waitingBytes = 0

        init(of domain: DomainID, in host: StoreHost) {
            self.domain = domain
            self.host = host
        }

        var isGuest: Bool { domain != .privileged }

        mutating func setWaiting(_ bytes: Int) {
            guard isGuest, bytes != waitingBytes else { return }
            host.countWaiting(bytes - waitingBytes, of: domain)
            waitingBytes = bytes
        }

        /// Counts replies that wait, or no longer do where negative.
        func count(_ replies: Int) {
            if isGuest, replies != 0 { host.countOutstanding(replies, of: domain) }
        }

        /// Whether so many answers wait that no more requests are heard.
        func isFull(_ replies: Int) -> Bool {
            guard replies > 0 else { return false }
            if let limit = host.outstandingLimit(of: domain), replies >= limit { return true }
            return host.isMemoryTaken(by: domain)
        }
    }

    var onClose: () -> Void = {}

    private let descriptor: FileDescriptor
    private let environment: SessionEnvironment
    private let share: FairShare.Share
    private var account: Account
    private var id: ConnectionID?
    private var source: Source?
    private var decoder: MessageDecoder
    private var output: SessionOutput
    /// Whether it has requests left, and goes on when its turn comes.
    private var isWaiting = false
    private var isFlushScheduled = false
    private var isEnding = false

    init(
        _ descriptor: FileDescriptor,
        in environment: SessionEnvironment,
        as domain: DomainID,
        sharing share: FairShare.Share
    ) {
        self.descriptor = descriptor
        self.environment = environment
        self.share = share
        account = Account(of: domain, in: environment.host)
        let isOxenstored = environment.host.store.compatibility == .oxenstored
        // oxenstored tells an event as often as it happens.
        output = SessionOutput(mergesEvents: !isOxenstored)
        decoder = MessageDecoder(
            // What is too long is an error there, on a socket of the privileged domain.
            payloadLimit: isOxenstored && domain == .privileged
                ? environment.limits.oversizedRequest : ProtocolLimits.payloadSize,
            initialCapacity: environment.limits.keptInput
        )
        id = environment.host.attach(as: domain) { [unowned self] delivery in
            switch delivery {
            case .message(let message): send(message)
            case .events(let batch): send(batch)
            case .closed: closeLater()
            }
        }
        let source = loop.add(descriptor, for: .readable) { [unowned self] readiness in
            ready(readiness)
        }
        self.source = Source(id: source)
    }

    private var host: StoreHost { environment.host }

    private var loop: EventLoop { environment.loop }

    var limits: SessionLimits { environment.limits }

    /// Ends the connection, with its watches and transactions.
    func close() {
        guard let source else { return }
        self.source = nil
        loop.remove(source.id)
        if let id { host.detach(id) }
        id = nil
        account.count(-output.replyCount)
        account.setWaiting(0)
        environment.shares.leave(share, as: account.domain)
        descriptor.closeIgnoringErrors()
        onClose()
    }

    /// Ends it when the store is done with what it is doing.
    private func closeLater() {
        guard !isEnding else { return }
        isEnding = true
        loop.later { [weak self] in self?.close() }
    }

    // MARK: Input

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        guard source != nil, !readiness.isDisjoint(with: [.readable, .failed]) else { return }
        var isAtEnd = false
        // What has come is to be done first. A peer that is gone is found out then.
        guard !isWaiting else { return }
        let scratch = environment.scratch.bytes
        let buffer =
            account.isGuest
            ? UnsafeMutableRawBufferPointer(rebasing: scratch[..<limits.guestInputPerTurn])
            : scratch
        do throws(Errno) {
            let count = try descriptor.readAvailable(into: buffer)
            isAtEnd = count == 0
            decoder.append(UnsafeRawBufferPointer(rebasing: buffer[..<(count ?? 0)]))
        } catch {
            return close()
        }
        isAtEnd ? close() : handleRequests()
    }

    /// Goes on with the requests that were left when its share of a turn was over.
    func goOn() {
        isWaiting = false
        guard source != nil else { return }
        handleRequests()
    }

    private func handleRequests() {
        guard !isWaiting else { return }
        do throws(ProtocolViolation) {
            try handleShare()
        } catch {
            // Where a length is wrong nothing that follows can be read.
            return close()
        }
        decoder.shrink()
        updateInterest()
    }

    /// Handles requests until none is left, or the share of this turn is spent.
    private func handleShare() throws(ProtocolViolation) {
        let shares = environment.shares
        var start: ContinuousClock.Instant?
        while let id, isListening {
            guard !shares.isSpent(share, limits) else {
                if decoder.pendingCount >= ProtocolLimits.headerSize {
                    isWaiting = true
                    shares.wait(self, share)
                }
                return
            }
            guard let message = try decoder.next() else { return }
            let begin = start ?? .now
            host.receive(message, from: id)
            let end = ContinuousClock.now
            shares.spend(end - begin, of: share)
            start = end
        }
    }

    /// Whether so little waits for the client that its requests are heard.
    private var isListening: Bool {
        output.count < limits.outputBeforePause && !account.isFull(output.replyCount)
    }

    // MARK: Output

    private func send(_ message: Message) {
        guard source != nil, output.isNew(message) else { return }
        guard output.count + message.payload.count <= limits.output else { return closeLater() }
        let isCounted = account.isGuest && message.type != .watchEvent
        output.append(message, isCounted: isCounted)
        account.setWaiting(output.count)
        if isCounted { account.count(1) }
        scheduleFlush()
    }

    private func send(_ batch: EventBatch) {
        guard source != nil else { return }
        output.append(batch)
        guard output.count <= limits.output else { return closeLater() }
        account.setWaiting(output.count)
        scheduleFlush()
    }

    private func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        // All that one turn brings goes out in one write.
        let flushNow: () -> Void = { [weak self] in
            guard let self else { return }
            isFlushScheduled = false
            flush()
        }
        // What is to be durable first waits until all clients of this turn were heard, so that
        // they share one fdatasync(2).
        if host.hasUnsavedChanges {
            _ = loop.schedule(after: .zero, flushNow)
        } else {
            loop.later(flushNow)
        }
    }

    private func flush() {
        guard host.persist() else { return close() }
        if source != nil {
            do throws(Errno) {
                account.count(-(try output.write(to: descriptor, limits)))
            } catch {
                return close()
            }
            account.setWaiting(output.count)
        }
        // Requests that came before the reader was slow wait in the decoder.
        handleRequests()
    }

    private func updateInterest() {
        guard let source else { return }
        var wanted: Readiness = []
        if isListening, !isWaiting { wanted.insert(.readable) }
        if !output.isEmpty, !isFlushScheduled { wanted.insert(.writable) }
        guard wanted != source.interest else { return }
        self.source?.interest = wanted
        loop.update(source.id, interest: wanted)
    }
}
