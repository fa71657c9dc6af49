import XenstoreProtocol

/// Who hears of the changes of one commit: connections, the rights of their domains, and the room
/// that is left for events.
struct CommitListeners {
    /// A connection that has watches.
    private struct Listener {
        let id: ConnectionID
        let domain: Int
        /// Whether an event had no room. Nothing more of this commit is sent to it.
        var isFull = false
        var batch = EventBatch()
    }

    /// The domain of some listeners.
    private struct Domain {
        let id: DomainID
        /// One of its connections, which stands for all.
        let connection: Connection
        /// Bytes that its events may take still.
        var room: Int
        /// The change for which `mayHear` holds.
        var change = 0
        var mayHear = false
    }

    private let accounts: DomainAccounts
    /// Whether a connection may hear of what can be read by these permissions.
    private let mayHear: (Connection, [Permissions]) -> Bool
    private var listeners: [Listener] = []
    private var listenerOf: [ConnectionID: Int] = [:]
    private var domains: [Domain] = []
    private var domainOf: [DomainID: Int] = [:]

    init(
        _ accounts: DomainAccounts,
        mayHear: @escaping (Connection, [Permissions]) -> Bool
    ) {
        self.accounts = accounts
        self.mayHear = mayHear
    }

    /// What the store is to do: a batch for each connection that hears of anything.
    var effects: [StoreEffect] {
        listeners.filter { !$0.batch.bytes.isEmpty }.map { .events($0.batch, to: $0.id) }
    }

    /// The number of a connection among the listeners.
    mutating func number(of connection: Connection) -> Int {
        if let known = listenerOf[connection.id] { return known }
        let domain = domain(of: connection)
        listeners.append(Listener(id: connection.id, domain: domain))
        listenerOf[connection.id] = listeners.count - 1
        return listeners.count - 1
    }

    private mutating func domain(of connection: Connection) -> Int {
        if let known = domainOf[connection.domain] { return known }
        let room = accounts.roomForEvents(of: connection.domain)
        domains.append(Domain(id: connection.domain, connection: connection, room: room))
        domainOf[connection.domain] = domains.count - 1
        return domains.count - 1
    }

    /// Whether an event for a listener had no room.
    func isFull(_ listener: Int) -> Bool { listeners[listener].isFull }

    /// Whether a listener may hear of a change of what can be read by these permissions. It is
    /// found out once for each change, which has a number, and domain.
    mutating func mayHear(_ listener: Int, of change: Int, _ readable: [Permissions]) -> Bool {
        let domain = listeners[listener].domain
        if domains[domain].change != change {
            domains[domain].change = change
            domains[domain].mayHear = mayHear(domains[domain].connection, readable)
        }
        return domains[domain].mayHear
    }

    /// Sends an event to a listener, if it fits a message, and what the listener's domain may take;
    /// the C daemon drops it else.
    ///
    /// - Parameter tail: what follows the path in it, from the NUL that ends the path on.
    mutating func send(
        _ path: UnsafeBufferPointer<UInt8>,
        _ tail: UnsafeBufferPointer<UInt8>,
        to listener: Int
    ) {
        let payload = path.count + tail.count
        guard payload <= ProtocolLimits.payloadSize else { return }
        let (size, domain) = (payload + Outbox.eventOverhead, listeners[listener].domain)
        guard size <= domains[domain].room else {
            listeners[listener].isFull = true
            accounts.reportFull(domains[domain].id)
            return
        }
        domains[domain].room -= size
        listeners[listener].batch.append(path, tail)
    }
}
