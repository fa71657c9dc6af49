import EventLoop
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
    private var untaken: [Int] = []
    private let limits: SessionLimits
    private let loop: EventLoop
    private var id: ConnectionID?
    private var source: SourceID?
    private var decoder: MessageDecoder
    /// What is read at once goes there first; all sessions of a loop share it.
    private let scratch: InputScratch
    private var output: [UInt8] = []
    private var written = 0
    /// The events in `output`, as long as nothing of it was written: an equal one says no more.
    private var unsentEvents: Set<[UInt8]> = []
    /// oxenstored tells an event as often as it happens.
    private let mergesEvents: Bool
    private var isFlushScheduled = false
    private var interest: Readiness = .readable

    init(
        _ descriptor: FileDescriptor,
        host: StoreHost,
        as domain: DomainID,
        limits: SessionLimits,
        scratch: InputScratch,
        on loop: EventLoop
    ) {
        self.descriptor = descriptor
        self.host = host
        self.domain = domain
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
        forgetTaken(upTo: .max)
        descriptor.closeIgnoringErrors()
        onClose()
    }

    /// Ends it when the store is done with what it is doing.
    private func closeLater() {
        loop.later { [weak self] in self?.close() }
    }

    // MARK: Input

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        guard source != nil, !readiness.isDisjoint(with: [.readable, .failed]) else { return }
        var isAtEnd = false
        do throws(Errno) {
            let count = try descriptor.readAvailable(into: scratch.bytes)
            isAtEnd = count == 0
            decoder.append(UnsafeRawBufferPointer(rebasing: scratch.bytes[..<(count ?? 0)]))
        } catch {
            return close()
        }
        isAtEnd ? close() : handleRequests()
    }

    private func handleRequests() {
        do throws(ProtocolViolation) {
            while let id, output.count - written < limits.outputBeforePause, !isAtOutstanding,
                let message = try decoder.next()
            {
                host.receive(message, from: id)
            }
        } catch {
            // Where a length is wrong nothing that follows can be read.
            return close()
        }
        decoder.shrink()
        updateInterest()
    }

    // MARK: Output

    private func send(_ message: Message) {
        guard source != nil else { return }
        // Special events are told each time: two domains may have come.
        if mergesEvents, message.type == .watchEvent, message.payload.first != UInt8(ascii: "@") {
            guard unsentEvents.insert(message.payload).inserted else { return }
        }
        guard output.count - written + message.payload.count <= limits.output else {
            return closeLater()
        }
        message.encode(into: &output)
        if domain != .privileged, message.type != .watchEvent {
            untaken.append(output.count)
            host.countOutstanding(1, of: domain)
        }
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
        while source != nil, written < output.count {
            do throws(Errno) {
                guard let count = try descriptor.writeAvailable(output, from: written) else {
                    break
                }
                written += count
                unsentEvents.removeAll(keepingCapacity: unsentEvents.count < limits.keptEvents)
            } catch {
                return close()
            }
        }
        forgetTaken(upTo: written)
        if written == output.count {
            output.removeAll(keepingCapacity: output.capacity <= limits.keptOutput)
            written = 0
        } else if written > output.count / 2 {
            // A reader that never catches up must not keep what it has read.
            output.removeSubrange(..<written)
            for index in untaken.indices { untaken[index] -= written }
            written = 0
        }
        // Requests that came before the reader was slow wait in the decoder.
        handleRequests()
    }

    /// Whether so many answers wait that no more requests are heard.
    private var isAtOutstanding: Bool {
        guard !untaken.isEmpty, let limit = host.outstandingLimit(of: domain) else { return false }
        return untaken.count >= limit
    }

    private func forgetTaken(upTo end: Int) {
        let taken = untaken.prefix { $0 <= end }.count
        guard taken > 0 else { return }
        untaken.removeFirst(taken)
        host.countOutstanding(-taken, of: domain)
    }

    private func updateInterest() {
        guard let source else { return }
        let waiting = output.count - written
        var wanted: Readiness = []
        if waiting < limits.outputBeforePause, !isAtOutstanding { wanted.insert(.readable) }
        if waiting > 0, !isFlushScheduled { wanted.insert(.writable) }
        guard wanted != interest else { return }
        interest = wanted
        loop.update(source, interest: wanted)
    }
}
