import XenstoreProtocol

/// What the message that is being handled has caused so far: replies, events and ends of
/// connections.
///
/// Events go before the reply or behind it, as each daemon sends them. What they may take is
/// bounded for each domain: what waits for a guest is part of the memory that its quota allows.
final class Outbox {
    /// Bytes that an event takes beside its payload. It also bounds the events of one request, and
    /// so the time that all others wait for it.
    static let eventOverhead = 256

    private let accounts: DomainAccounts
    private var effects: [StoreEffect] = []
    /// What is to follow the reply: the first event of a new watch, and with oxenstored the events
    /// of a change.
    private var effectsAfterReply: [StoreEffect] = []
    /// Bytes of the events for guests among them.
    private var eventBytes: [DomainID: Int] = [:]
    /// Requests that were handled, the one that is being handled included.
    private var requestCount: UInt64 = 0

    init(accounts: DomainAccounts) {
        self.accounts = accounts
    }

    /// Begins with the next message.
    func begin() { requestCount += 1 }

    /// Appends to a result all that the message has caused, its reply where it belongs.
    func finish(with reply: Message, to id: ConnectionID, into result: inout [StoreEffect]) {
        result.append(contentsOf: effects)
        result.append(.send(reply, to: id))
        result.append(contentsOf: effectsAfterReply)
        effects.removeAll(keepingCapacity: true)
        effectsAfterReply.removeAll(keepingCapacity: true)
        if !eventBytes.isEmpty { eventBytes.removeAll(keepingCapacity: true) }
    }

    /// Has the end of a connection follow.
    func close(_ id: ConnectionID) { effects.append(.close(id)) }

    /// Sends a watch the event of a change, before the reply.
    func send(_ watch: Watch, _ path: StorePath) {
        if let event = event(watch, path) { effects.append(event) }
    }

    /// Sends a watch the event of a change, behind the reply.
    func sendAfterReply(_ watch: Watch, _ path: StorePath) {
        if let event = event(watch, path) { effectsAfterReply.append(event) }
    }

    /// Sends the events of a commit, before the reply.
    func send(_ events: CommitEvents) { effects += events.effects }

    /// The event of a watch; nil if it does not fit a message, or what its domain may take, as the
    /// C daemon drops it then.
    private func event(_ watch: Watch, _ path: StorePath) -> StoreEffect? {
        let pathBytes = path.text.utf8.count - watch.prefixLength
        let size = pathBytes + watch.token.count + 2
        guard size <= ProtocolLimits.payloadSize, takeRoom(for: size, watch.connection) else {
            return nil
        }
        var payload: [UInt8] = []
        payload.reserveCapacity(size)
        withBytes(of: path.text) { bytes in
            payload.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[watch.prefixLength...]))
        }
        payload.append(0)
        payload.append(contentsOf: watch.token)
        payload.append(0)
        return .send(Message(.watchEvent, payload: payload), to: watch.connection.id)
    }

    /// Whether an event may be made for a connection. Once there is no room, the connection gets
    /// no more events of the same request.
    private func takeRoom(for payload: Int, _ connection: Connection) -> Bool {
        guard !connection.isPrivileged else { return true }
        guard !connection.isFull(in: requestCount) else { return false }
        let domain = connection.domain
        let made = eventBytes[domain, default: 0] + payload + Self.eventOverhead
        guard made <= accounts.roomForEvents(of: domain) else {
            connection.noteFull(in: requestCount)
            accounts.reportFull(domain)
            return false
        }
        eventBytes[domain] = made
        return true
    }
}
