import XenstoreProtocol

/// The places below one that have watches, in the order of oxenstored: parents first, and siblings
/// by name. When a node goes, all of them hear that theirs has gone, whether it was there or not.
struct WatchedPlaces {
    struct Watched {
        let place: WatchTable.Place
        let path: StorePath
        /// The permissions by any of which one may hear that it goes.
        let readable: [Permissions]
        /// Set once none of its watches takes another event.
        var isDeaf = false
    }

    var all: [Watched] = []
    /// Where in `all` those below a place are.
    fileprivate var ranges: [ObjectIdentifier: Range<Int>] = [:]

    /// Where in ``all`` those below a place are that is one of them, or on the way.
    func below(_ place: WatchTable.Place?) -> Range<Int> {
        place.flatMap { ranges[ObjectIdentifier($0)] } ?? 0..<0
    }
}

extension WatchTable {
    /// The places below a path that have watches.
    ///
    /// - Parameter before: the tree that decides who may hear of them.
    func watchedPlaces(below path: StorePath, in before: Tree) -> WatchedPlaces {
        var found = WatchedPlaces()
        guard let top = place(of: path) else { return found }
        var waiting = [Step(place: top, node: before.node(at: path), above: nil)]
        while let step = waiting.popLast() {
            let id = ObjectIdentifier(step.place)
            if let start = step.start {
                found.ranges[id] = start..<found.all.count
                continue
            }
            if step.place !== top, let path = step.place.watches.first?.path {
                let readable = [step.above, step.above.flatMap { _ in step.node }]
                found.all.append(
                    WatchedPlaces.Watched(
                        place: step.place,
                        path: path,
                        readable: readable.compactMap { $0?.permissions }
                    )
                )
            }
            waiting.append(Step(place: step.place, start: found.all.count))
            for (name, place) in step.place.childrenLastFirst {
                let node = withBytes(of: name) { step.node?.child(named: $0) }
                waiting.append(Step(place: place, node: node, above: step.node))
            }
        }
        return found
    }

    private struct Step {
        let place: Place
        var node: Node?
        var above: Node?
        /// Set where all below the place have been found since.
        var start: Int?
    }
}

extension WatchTable.Place {
    /// The places right below it, by name, the last first.
    fileprivate var childrenLastFirst: [(key: String, value: WatchTable.Place)] {
        below.count < 2 ? Array(below) : below.sorted { $0.key > $1.key }
    }
}
