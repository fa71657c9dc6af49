/// The watches on the way from the root to one node, with the levels at which they stand.
struct Hearing {
    private var passed: [(watch: Watch, level: UInt32)]
    private var hasDepths = false
    private var isMixed = false

    init(_ watches: [Watch] = [], level: UInt32 = 0) {
        passed = []
        add(watches, level: level)
    }

    mutating func add(_ watches: [Watch], level: UInt32) {
        guard !watches.isEmpty else { return }
        // The watches of one path are in their order.
        isMixed = !passed.isEmpty
        for watch in watches {
            passed.append((watch, level))
            if watch.depth != nil { hasDepths = true }
        }
    }

    /// Those that look as deep as a level.
    mutating func watches(upTo level: UInt32) -> HeardBy {
        if hasDepths { passed.removeAll { level - $0.level > $0.watch.depth ?? .max } }
        if isMixed { passed.sort { $0.watch.order < $1.watch.order } }
        return HeardBy(watches: passed.map(\.watch), isMixed: isMixed)
    }
}

/// The watches that hear of a change, oldest first.
struct HeardBy {
    let watches: [Watch]
    /// Whether they are of more than one path: then a connection may have a token twice.
    let isMixed: Bool
}

/// The watches at the places of a transaction: each place is looked up below the one above it.
struct WatchTrail {
    private let places: [WatchTable.Place?]
    private let parents: [Int]
    private let levels: [UInt32]
    /// For each place the nearest that has watches, itself or one above.
    private let nearest: [Int]
    /// For which place and scope the events know who hears.
    private var heard: (place: Int, scope: EventScope)?

    init(_ footprint: Footprint, _ places: [WatchTable.Place?]) {
        self.places = places
        parents = footprint.places.map(\.parent)
        var levels: [UInt32] = []
        var nearest: [Int] = []
        for (index, parent) in parents.enumerated() {
            let isFirst = parent == Footprint.nothing
            levels.append(isFirst ? 0 : levels[parent] + 1)
            let hasWatches = places[index]?.watches.isEmpty == false
            nearest.append(hasWatches ? index : isFirst ? parent : nearest[parent])
        }
        self.levels = levels
        self.nearest = nearest
    }

    /// How deep a place is.
    func level(of place: Int) -> UInt32 { levels[place] }

    /// Has events heard by the watches of a place, and in a subtree of those above.
    mutating func hear(
        of place: Int,
        _ scope: EventScope,
        _ events: inout CommitEvents
    ) {
        var next = scope == .subtree ? nearest[place] : place
        if let heard, heard == (next, scope) { return }
        heard = (next, scope)
        events.forgetWatches()
        while next != Footprint.nothing {
            if let place = places[next] { events.hear(place, level: levels[next]) }
            let parent = parents[next]
            guard scope == .subtree, parent != Footprint.nothing else { break }
            next = nearest[parent]
        }
        events.sortWatches()
    }
}
