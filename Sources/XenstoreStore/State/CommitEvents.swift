import XenstoreProtocol

/// The events of one commit, a batch for each connection.
///
/// A commit is one request, for which all others wait, and hundreds of nodes may be heard by
/// hundreds of watches. So what is the same for all nodes is found out once: who listens, what
/// their watches send, and how much room they have. What is left for a node and a watch is to look
/// at a few numbers, and to copy the bytes of the event.
struct CommitEvents {
    /// In which order the watches of one change hear of it.
    enum Order {
        /// By their age. Watches of one connection that send the same bytes send them once: the C
        /// daemon sends no event that is waiting already.
        case oldestFirst
        /// From the root down, and those of one path with the latest first; oxenstored sends the
        /// events of all of them.
        case latestFirst
    }

    private let order: Order
    private var listeners: CommitListeners
    private var places = CommitEars()
    /// The watches that hear of the next change.
    private var ears: [CommitEars.Ear] = []
    private var isMixed = false
    private var change = 0

    /// - Parameter mayHear: whether a connection may hear of what can be read by these permissions.
    init(
        _ order: Order,
        _ accounts: DomainAccounts,
        mayHear: @escaping (Connection, [Permissions]) -> Bool
    ) {
        self.order = order
        listeners = CommitListeners(accounts, mayHear: mayHear)
    }

    /// Whether nobody hears of the next change.
    var isUnheard: Bool { ears.isEmpty }

    /// What the store is to do: a batch for each connection that hears of anything.
    var effects: [StoreEffect] { listeners.effects }

    // MARK: Who hears

    mutating func forgetWatches() {
        ears.removeAll(keepingCapacity: true)
        isMixed = false
    }

    /// Has the watches of a place, which stands at a level, hear of the next change.
    mutating func hear(_ place: WatchTable.Place, level: UInt32) {
        guard !place.watches.isEmpty else { return }
        let found = places.ears(of: place, level: level, order, &listeners)
        // Those of one path are in their order, and differ.
        isMixed = !ears.isEmpty && order == .oldestFirst
        for ear in found where !listeners.isFull(ear.listener) { ears.append(ear) }
    }

    /// Has each connection hear of a change by the order of its watches, as in the C daemon.
    mutating func sortWatches() {
        if isMixed { ears.sort { $0.order < $1.order } }
    }

    // MARK: What they hear

    /// Sends events of a change at a path to those who hear of it.
    ///
    /// - Parameters:
    ///   - level: how deep the path is.
    ///   - readable: the permissions by any of which one may hear of it.
    mutating func send(
        _ path: UnsafeBufferPointer<UInt8>,
        level: UInt32,
        _ readable: [Permissions]
    ) {
        change += 1
        let tails = places.tails
        tails.withUnsafeBufferPointer { tails in
            for index in ears.indices {
                let ear = ears[index]
                guard level <= ear.deepest, isDue(to: ear, readable) else { continue }
                listeners.send(
                    UnsafeBufferPointer(rebasing: path[ear.prefixLength...]),
                    UnsafeBufferPointer(rebasing: tails[ear.tail]),
                    to: ear.listener
                )
            }
        }
    }

    /// Whether an event of the change is due to a watch.
    private mutating func isDue(to ear: CommitEars.Ear, _ readable: [Permissions]) -> Bool {
        guard !listeners.isFull(ear.listener) else { return false }
        if isMixed, !places.isFirst(ear.voice, of: change) { return false }
        return listeners.mayHear(ear.listener, of: change, readable)
    }
}

/// The watches of the places that a commit has met.
struct CommitEars {
    /// A watch, at some level of the tree.
    struct Ear {
        let listener: Int
        /// The same number for watches that send the same bytes to the same connection.
        let voice: Int
        let prefixLength: Int
        /// Where the end of its events is in ``CommitEars/tails``.
        let tail: Range<Int>
        /// The last level whose changes it hears.
        let deepest: UInt64
        let order: UInt64
    }

    private struct Voice: Hashable {
        let listener: Int
        let prefixLength: Int
        let token: [UInt8]
    }

    /// What follows the path in the events of each, one behind the other: the NUL that ends the
    /// path, the token, and the NUL that ends it.
    private(set) var tails: [UInt8] = []
    private var voices: [Voice: Int] = [:]
    /// For each voice the last change that it has sent an event of.
    private var lastSent: [Int] = []
    private var known: [ObjectIdentifier: [Ear]] = [:]

    /// The watches of a place, which stands at a level.
    mutating func ears(
        of place: WatchTable.Place,
        level: UInt32,
        _ order: CommitEvents.Order,
        _ listeners: inout CommitListeners
    ) -> [Ear] {
        if let known = known[ObjectIdentifier(place)] { return known }
        let oldestFirst = place.watches.map { ear(of: $0, level: level, &listeners) }
        let found = order == .latestFirst ? oldestFirst.reversed() : oldestFirst
        known[ObjectIdentifier(place)] = found
        return found
    }

    /// Whether a voice has sent no event of a change yet; from then on it has.
    mutating func isFirst(_ voice: Int, of change: Int) -> Bool {
        guard lastSent[voice] != change else { return false }
        lastSent[voice] = change
        return true
    }

    private mutating func ear(
        of watch: Watch,
        level: UInt32,
        _ listeners: inout CommitListeners
    ) -> Ear {
        let listener = listeners.number(of: watch.connection)
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
        let start = tails.count
        tails.append(0)
        tails += watch.token
        tails.append(0)
        return Ear(
            listener: listener,
            voice: number,
            prefixLength: watch.prefixLength,
            tail: start..<tails.count,
            deepest: watch.depth.map { UInt64(level) + UInt64($0) } ?? .max,
            order: watch.order
        )
    }
}
