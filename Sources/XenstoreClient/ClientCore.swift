import Reactor
import XenstoreProtocol

/// What a ``Xenstore`` does on its loop's thread: requests that outlive connections, watches
/// that are set again, and the client's life.
final class ClientCore {
    private enum State {
        case running, suspended, closed
    }

    let loop: EventLoop
    let configuration: ConnectionConfiguration
    let channel: any Channel
    let watches: WatchRegistry
    /// Counts connections: a transaction belongs to one.
    private(set) var epoch: UInt64 = 0

    private var state = State.running
    private var outstanding = 0
    private let ready: WaitList
    private let idle: WaitList

    init(_ channel: any Channel, loop: EventLoop, configuration: ConnectionConfiguration) {
        self.channel = channel
        self.loop = loop
        self.configuration = configuration
        ready = WaitList(loop: loop)
        idle = WaitList(loop: loop)
        watches = WatchRegistry(loop: loop, pendingLimit: configuration.pendingEventLimit)
        channel.onEvent = { [watches] event in watches.deliver(event) }
        channel.onEventsLost = { [watches] in watches.deliverAll() }
        channel.onDisconnect = { [weak self] _ in self?.epoch += 1 }
        channel.onReconnect = { [weak self] in self?.reconnected() }
    }

    // MARK: Requests

    /// Sends a request and waits for its answer: after a suspension, and, if nothing is changed by
    /// it or nothing has been sent yet, on the next connection.
    func perform(
        _ request: Request,
        in transaction: OpenTransaction? = nil,
        until deadline: ContinuousClock.Instant? = nil
    ) async throws(XenstoreError) -> [UInt8] {
        var patience: ContinuousClock.Instant?
        while true {
            if !isReady { try await waitUntilReady(until: deadline, &patience) }
            let id = try number(of: transaction)
            outstanding += 1
            defer { finished() }
            do throws(XenstoreError) {
                return try await channel.send(request, in: id, until: deadline)
            } catch .disconnected {
                if case .transactionEnd = request { throw .disconnected }
                if transaction != nil { throw .refused(.again) }
                guard request.isRepeatable, state != .closed else { throw .disconnected }
            }
        }
    }

    /// Sends requests together: see ``perform(_:in:until:)``.
    func perform(
        _ requests: [Request],
        in transaction: OpenTransaction? = nil,
        until deadline: ContinuousClock.Instant? = nil
    ) async -> [Result<[UInt8], XenstoreError>] {
        var patience: ContinuousClock.Instant?
        var answers: [Result<[UInt8], XenstoreError>] = []
        while answers.count < requests.count {
            let rest = requests[answers.count...]
            do throws(XenstoreError) {
                if !isReady { try await waitUntilReady(until: deadline, &patience) }
                let id = try number(of: transaction)
                let part = Array(rest.prefix(Self.largestBatch))
                outstanding += 1
                defer { finished() }
                var found = await channel.send(part, in: id, until: deadline)
                let lost = found.firstIndex { $0 == .failure(.disconnected) }
                if let lost, transaction != nil {
                    let conflict = XenstoreError.refused(.again)
                    for index in lost..<found.count { found[index] = .failure(conflict) }
                } else if let lost, state != .closed,
                    part[lost...].allSatisfy({ $0.isRepeatable })
                {
                    // From there on once more.
                    found.removeSubrange(lost...)
                }
                answers += found
            } catch {
                answers += rest.map { _ in .failure(error) }
            }
        }
        return answers
    }

    /// Requests that are handed to the connection at once; more go after them.
    private static let largestBatch = 16384

    /// Sends a request whose answer nobody waits for, if there is a connection.
    func post(_ request: Request, in transaction: TransactionID = .none) {
        channel.post(request, in: transaction)
    }

    /// Whether a request may go out now. Asked before ``waitUntilReady(until:_:)``: the frames of
    /// an asynchronous call cost more than all else that is done here for a request.
    private var isReady: Bool { state == .running && channel.isConnected }

    /// Waits while the client is suspended, and for a connection that is lost, the latter for so
    /// long as the configuration says in all.
    private func waitUntilReady(
        until deadline: ContinuousClock.Instant?,
        _ patience: inout ContinuousClock.Instant?
    ) async throws(XenstoreError) {
        while !isReady {
            guard state != .closed else { throw .disconnected }
            if state == .suspended {
                try await ready.wait(until: deadline)
                continue
            }
            let limit = patience ?? .now + configuration.reconnectPatience
            patience = limit
            do throws(XenstoreError) {
                try await ready.wait(until: deadline.map { min($0, limit) } ?? limit)
            } catch .timedOut {
                if let deadline, deadline <= limit { throw .timedOut }
                throw .disconnected
            }
        }
    }

    private func number(
        of transaction: OpenTransaction?
    ) throws(XenstoreError) -> TransactionID {
        guard let transaction else { return .none }
        guard transaction.epoch == epoch else { throw .refused(.again) }
        return transaction.id
    }

    private func finished() {
        outstanding -= 1
        if outstanding == 0 { idle.resumeAll() }
    }

    /// Waits for a time to pass.
    func pause(_ duration: Duration) async throws(XenstoreError) {
        do throws(XenstoreError) {
            try await WaitList(loop: loop).wait(until: .now + duration)
        } catch .timedOut {}
    }

    // MARK: Watches

    /// Has the store set a watch; takes the entry away where it does not.
    func set(
        _ entry: WatchEntry,
        until deadline: ContinuousClock.Instant? = nil
    ) async throws(XenstoreError) {
        do throws(XenstoreError) {
            do throws(XenstoreError) {
                _ = try await perform(watches.request(for: entry), until: deadline)
            } catch .refused(.invalid) where entry.depth != nil && !entry.path.isSpecial {
                entry.omitsDepth = true
                _ = try await perform(watches.request(for: entry), until: deadline)
            }
            entry.isArmed = true
        } catch {
            _ = watches.remove(entry)
            // Nobody knows whether the store has set it.
            if case .refused = error {} else { post(unwatchRequest(entry)) }
            throw error
        }
    }

    /// The next event of a watch; nil at its end, and for who is cancelled.
    func nextEvent(of entry: WatchEntry) async throws(ClientError) -> XenstorePath? {
        while true {
            if let path = entry.takeFirst() { return path }
            if entry.hasEnded {
                if let failure = entry.failure { throw failure }
                return nil
            }
            entry.signal.clear()
            do throws(XenstoreError) {
                try await entry.signal.wait()
            } catch {
                return nil
            }
        }
    }

    /// Ends a watch that nobody listens to any more.
    func remove(_ entry: WatchEntry) {
        guard watches.remove(entry) else { return }
        post(unwatchRequest(entry))
    }

    /// Ends a watch, and waits for the store to have done so.
    func endWatch(_ entry: WatchEntry) async throws(ClientError) {
        guard !entry.hasEnded else { return }
        watches.end(entry, nil)
        let request = unwatchRequest(entry)
        do throws(XenstoreError) {
            _ = try await perform(request)
        } catch .refused(.noEntry), .disconnected {
            // It went with its connection.
        } catch {
            throw ClientError(request, error)
        }
    }

    private func unwatchRequest(_ entry: WatchEntry) -> Request {
        .unwatch(entry.path, token: entry.token)
    }

    // MARK: Life

    /// Lets what is on its way finish, then the connection go.
    func suspend() async throws(XenstoreError) {
        guard state != .closed else { throw .disconnected }
        state = .suspended
        while outstanding > 0, state == .suspended {
            do throws(XenstoreError) {
                try await idle.wait()
            } catch {
                // Who gives up leaves the client as it was.
                if state == .suspended { state = .running }
                ready.resumeAll()
                throw error
            }
        }
        guard state == .suspended else { return }
        channel.suspend()
        watches.discardPending()
    }

    /// Connects again, and waits until that is done.
    func resume(until deadline: ContinuousClock.Instant?) async throws(XenstoreError) {
        guard state != .closed else { throw .disconnected }
        state = .running
        channel.resume()
        if channel.isConnected {
            ready.resumeAll()
        } else {
            var patience: ContinuousClock.Instant?
            try await waitUntilReady(until: deadline, &patience)
        }
    }

    func close() {
        guard state != .closed else { return }
        state = .closed
        channel.close()
        ready.resumeAll(.failure(.disconnected))
        idle.resumeAll(.failure(.disconnected))
        watches.endAll(nil)
    }

    /// RESET_WATCHES has ended what the connection held.
    func dropWatchesAndTransactions() {
        epoch += 1
        channel.dropTransactions()
        watches.endAll(nil)
    }

    /// Sets all watches again; then what has waited for the connection goes on.
    private func reconnected() {
        let work = LoopBound(self, to: loop)
        Task.immediate(executorPreference: loop) {
            let core = work.value
            let armed = core.watches.armed
            let requests = armed.map { core.watches.request(for: $0) }
            let epoch = core.epoch
            let answers = await core.channel.send(requests, in: .none, until: nil)
            // What broke meanwhile is set again by the next connection.
            guard epoch == core.epoch else { return }
            for (entry, answer) in zip(armed, answers) {
                guard case .failure(let error) = answer, error != .refused(.exists) else {
                    continue
                }
                core.watches.end(entry, ClientError(core.watches.request(for: entry), error))
            }
        }
        ready.resumeAll()
    }
}

/// A transaction that is open on one connection.
struct OpenTransaction: Hashable, Sendable {
    let id: TransactionID
    let epoch: UInt64
}
