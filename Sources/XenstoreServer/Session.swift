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

/// One client of a server: its requests go to the store, what the store says goes back.
final class Session {
    var onClose: () -> Void = {}

    private let descriptor: FileDescriptor
    private let host: StoreHost
    private let domain: DomainID
    /// Where in `output` the replies end that an unprivileged domain has not taken yet.
    private var unsentReplyEnds: [Int] = []
    let limits: SessionLimits
    private let loop: EventLoop
    private let shares: FairShare
    private let share: FairShare.Share
    /// Whether it has requests left, and goes on when its turn comes.
    private var isWaiting = false
    private var id: ConnectionID?
    private var source: SourceID?
    private var decoder: MessageDecoder
    /// What is read at once goes there first; all sessions of a loop share it.
    private let scratch: InputScratch
    private var output: [UInt8] = []
    private var written = 0
    private var unsentEvents = UnsentEvents()
    /// oxenstored tells an event as often as it happens.
    private let mergesEvents: Bool
    private var isFlushScheduled = false
    private var isEnding = false
    /// The bytes that wait for a guest, as its quota of memory counts them.
    private var countedBytes = 0
    private var interest: Readiness = .readable

    init(
        _ descriptor: FileDescriptor,
        host: StoreHost,
        as domain: DomainID,
        sharing: (FairShare, FairShare.Share),
        limits: SessionLimits,
        scratch: InputScratch,
        on loop: EventLoop
    ) {
        self.descriptor = descriptor
        self.host = host
        self.domain = domain
        (shares, share) = sharing
        self.limits = limits
        self.loop = loop
        self.scratch = scratch
        let isOxenstored = host.store.compatibility == .oxenstored
        mergesEvents = !isOxenstored
        decoder = MessageDecoder(
            // What is too long is an error there, on a socket of the privileged domain.
            payloadLimit: isOxenstored && domain == .privileged
                ? limits.oversizedRequest : ProtocolLimits.payloadSize,
            initialCapacity: limits.keptInput
        )
        id = host.attach(as: domain) { [unowned self] delivery in
            switch delivery {
            case .message(let message): send(message)
            case .events(let batch): send(batch)
            case .closed: closeLater()
            }
        }
        source = loop.add(descriptor, for: .readable) { [unowned self] readiness in
            ready(readiness)
        }
    }

    /// Ends the connection, with its watches and transactions.
    func close() {
        guard let source else { return }
        self.source = nil
        loop.remove(source)
        if let id { host.detach(id) }
        id = nil
        dropSent(upTo: .max)
        countWaiting(0)
        shares.leave(share, as: domain)
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
        let buffer =
            domain == .privileged
            ? scratch.bytes
            : UnsafeMutableRawBufferPointer(rebasing: scratch.bytes[..<limits.guestInputPerTurn])
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
        output.count - written < limits.outputBeforePause && !isAtOutstanding
    }

    // MARK: Output

    private func send(_ message: Message) {
        guard source != nil else { return }
        if mergesEvents, message.type == .watchEvent {
            let isNew = message.payload.withUnsafeBytes { unsentEvents.isNew($0, output) }
            guard isNew else { return }
        }
        guard output.count - written + message.payload.count <= limits.output else {
            return closeLater()
        }
        message.encode(into: &output)
        countWaiting(output.count - written)
        if domain != .privileged, message.type != .watchEvent {
            unsentReplyEnds.append(output.count)
            host.countOutstanding(1, of: domain)
        }
        scheduleFlush()
    }

    private func send(_ batch: EventBatch) {
        guard source != nil else { return }
        if mergesEvents {
            unsentEvents.append(batch.bytes, to: &output)
        } else {
            output.append(contentsOf: batch.bytes)
        }
        guard output.count - written <= limits.output else { return closeLater() }
        countWaiting(output.count - written)
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
        var hasWritten = false
        while source != nil, written < output.count {
            do throws(Errno) {
                guard let count = try descriptor.writeAvailable(output, from: written) else {
                    break
                }
                written += count
                hasWritten = true
            } catch {
                return close()
            }
        }
        dropSent(upTo: written)
        countWaiting(output.count - written)
        if written == output.count {
            output.removeAll(keepingCapacity: output.capacity <= limits.keptOutput)
            written = 0
        } else if written > output.count / 2 {
            // A reader that never catches up must not keep what it has read.
            output.removeSubrange(..<written)
            for index in unsentReplyEnds.indices { unsentReplyEnds[index] -= written }
            written = 0
        }
        if hasWritten {
            unsentEvents.forget(outputCount: output.count, keeping: 2 * limits.keptEvents)
        }
        // Requests that came before the reader was slow wait in the decoder.
        handleRequests()
    }

    /// Whether so many answers wait that no more requests are heard.
    private var isAtOutstanding: Bool {
        guard !unsentReplyEnds.isEmpty else { return false }
        if let limit = host.outstandingLimit(of: domain), unsentReplyEnds.count >= limit {
            return true
        }
        return host.isMemoryTaken(by: domain)
    }

    /// Counts what waits for a guest towards its quota of memory.
    private func countWaiting(_ bytes: Int) {
        guard domain != .privileged, bytes != countedBytes else { return }
        host.countWaiting(bytes - countedBytes, of: domain)
        countedBytes = bytes
    }

    private func dropSent(upTo end: Int) {
        let taken = unsentReplyEnds.prefix { $0 <= end }.count
        guard taken > 0 else { return }
        unsentReplyEnds.removeFirst(taken)
        host.countOutstanding(-taken, of: domain)
    }

    private func updateInterest() {
        guard let source else { return }
        var wanted: Readiness = []
        if isListening, !isWaiting { wanted.insert(.readable) }
        if written < output.count, !isFlushScheduled { wanted.insert(.writable) }
        guard wanted != interest else { return }
        interest = wanted
        loop.update(source, interest: wanted)
    }
}
