import XenstoreProtocol

/// The events of one commit, a batch for each connection.
///
/// A commit is one request, for which all others wait, and hundreds of nodes may be heard by
/// hundreds of watches. So what is the same for all nodes is found out once: who listens, what
/// their watches send, and how much room they have. What is left for a node and a watch is to look
/// at a few numbers, and to copy the bytes of the event.
struct CommitEvents {
    /// A watch, at some level of the tree.
    private struct Ear {
        let listener: Int
        /// The same number for watches that send the same bytes to the same connection.
        let voice: Int
        let prefixLength: Int
        /// Where its token is in `tokens`.
        let token: Range<Int>
        /// The last level whose changes it hears.
        let deepest: UInt64
        let order: UInt64
    }

    private struct Voice: Hashable {
        let listener: Int
        let prefixLength: Int
        let token: [UInt8]
    }

    /// A connection that has watches.
    private struct Listener {
        let id: ConnectionID
        let domain: Int
        /// Whether an event had no room. Nothing more of this commit is sent it.
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

    private let compatibility: Compatibility
    /// Whether a connection may hear of what can be read by these permissions.
    private let mayHear: (Connection, [Permissions]) -> Bool
    private var listeners: [Listener] = []
    private var listenerOf: [ConnectionID: Int] = [:]
    private var domains: [Domain] = []
    private var domainOf: [DomainID: Int] = [:]
    private var voices: [Voice: Int] = [:]
    /// For each voice the last change that it has sent an event of.
    private var lastSent: [Int] = []
    private var tokens: [UInt8] = []
    /// The watches of the places that were met.
    private var earsOf: [ObjectIdentifier: [Ear]] = [:]
    /// The watches that hear of the next change.
    private var ears: [Ear] = []
    private var isMixed = false
    private var change = 0

    init(
        of compatibility: Compatibility,
        mayHear: @escaping (Connection, [Permissions]) -> Bool
    ) {
        self.compatibility = compatibility
        self.mayHear = mayHear
    }

    /// Whether nobody hears of the next change.
    var isUnheard: Bool { ears.isEmpty }

    /// What the store is to do: a batch for each connection that hears of anything.
    var effects: [StoreEffect] {
        listeners.filter { !$0.batch.bytes.isEmpty }.map { .events($0.batch, to: $0.id) }
    }

    // MARK: Who hears

    mutating func forgetWatches() {
        ears.removeAll(keepingCapacity: true)
        isMixed = false
    }

    /// Has the watches of a place, which stands at a level, hear of the next change.
    mutating func hear(_ place: WatchTable.Place, level: UInt32, _ store: Store) {
        guard !place.watches.isEmpty else { return }
        let found: [Ear]
        if let known = earsOf[ObjectIdentifier(place)] {
            found = known
        } else {
            let oldestFirst = place.watches.map { ear(of: $0, level: level, store) }
            found = compatibility == .oxenstored ? oldestFirst.reversed() : oldestFirst
            earsOf[ObjectIdentifier(place)] = found
        }
        // Those of one path are in their order, and differ.
        isMixed = !ears.isEmpty && compatibility == .xenstored
        for ear in found where !listeners[ear.listener].isFull { ears.append(ear) }
    }

    /// Has each connection hear of a change by the order of its watches, as in the C daemon.
    mutating func sortWatches() {
        if isMixed { ears.sort { $0.order < $1.order } }
    }

    private mutating func ear(of watch: Watch, level: UInt32, _ store: Store) -> Ear {
        let listener = listener(of: watch.connection, store)
        let voice = Voice(
            listener: listener,
            prefixLength: watch.prefixLength,
            token: watch.token
        )
        let number = voices[voice] ?? lastSent.count
        if number == lastSent.count {
            voices[voice] = number
            lastSent.append(0)
        }
        let start = tokens.count
        tokens += watch.token
        return Ear(
            listener: listener,
            voice: number,
            prefixLength: watch.prefixLength,
            token: start..<tokens.count,
            deepest: watch.depth.map { UInt64(level) + UInt64($0) } ?? .max,
            order: watch.order
        )
    }

    private mutating func listener(of connection: Connection, _ store: Store) -> Int {
        if let known = listenerOf[connection.id] { return known }
        let domain = domain(of: connection, store)
        listeners.append(Listener(id: connection.id, domain: domain))
        listenerOf[connection.id] = listeners.count - 1
        return listeners.count - 1
    }

    private mutating func domain(of connection: Connection, _ store: Store) -> Int {
        if let known = domainOf[connection.domain] { return known }
        let room = store.roomForEvents(of: connection.domain)
        domains.append(Domain(id: connection.domain, connection: connection, room: room))
        domainOf[connection.domain] = domains.count - 1
        return domains.count - 1
    }

    // MARK: What they hear

    /// Sends events of a change at a path to those who hear of it.
    ///
    /// - Parameters:
    ///   - level: how deep the path is.
    ///   - readable: the permissions by any of which one may hear of it.
    mutating func tell(
        _ path: UnsafeBufferPointer<UInt8>,
        level: UInt32,
        _ readable: [Permissions],
        _ store: Store
    ) {
        change += 1
        let tokens = tokens
        tokens.withUnsafeBufferPointer { tokens in
            for index in ears.indices {
                let ear = ears[index]
                guard level <= ear.deepest, isToTell(ear, readable) else { continue }
                let path = UnsafeBufferPointer(rebasing: path[ear.prefixLength...])
                let token = UnsafeBufferPointer(rebasing: tokens[ear.token])
                guard takeRoom(for: path.count + token.count + 2, ear, store) else { continue }
                listeners[ear.listener].batch.append(path, token)
            }
        }
    }

    /// Whether an event is due to a watch.
    private mutating func isToTell(_ ear: Ear, _ readable: [Permissions]) -> Bool {
        guard !listeners[ear.listener].isFull else { return false }
        // Two watches of one token have the same events for a connection, and the C daemon sends no
        // event that is waiting already.
        if isMixed {
            guard lastSent[ear.voice] != change else { return false }
            lastSent[ear.voice] = change
        }
        let domain = listeners[ear.listener].domain
        if domains[domain].change != change {
            domains[domain].change = change
            domains[domain].mayHear = mayHear(domains[domain].connection, readable)
        }
        return domains[domain].mayHear
    }

    /// Whether an event fits a message, and what its domain may take; the C daemon drops it else.
    private mutating func takeRoom(for payload: Int, _ ear: Ear, _ store: Store) -> Bool {
        guard payload <= ProtocolLimits.payloadSize else { return false }
        let (size, domain) = (payload + Store.eventOverhead, listeners[ear.listener].domain)
        guard size <= domains[domain].room else {
            listeners[ear.listener].isFull = true
            store.reportFull(domains[domain].id)
            return false
        }
        domains[domain].room -= size
        return true
    }
}
