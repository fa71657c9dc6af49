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
        fileprivate(set) var isDeaf = false
    }

    private(set) var all: [Watched] = []
    /// Where in `all` those below a place are.
    private var ranges: [ObjectIdentifier: Range<Int>] = [:]

    /// None.
    init() {}

    /// The places below a path that have watches.
    ///
    /// - Parameter before: the tree that decides who may hear of them.
    init(below path: StorePath, of watches: WatchTable, in before: Tree) {
        guard let top = watches.place(of: path) else { return }
        var waiting = [Step(place: top, node: before.node(at: path), above: nil)]
        while let step = waiting.popLast() {
            let id = ObjectIdentifier(step.place)
            if let start = step.start {
                ranges[id] = start..<all.count
                continue
            }
            if step.place !== top, let path = step.place.watches.first?.path {
                let readable = [step.above, step.above.flatMap { _ in step.node }]
                all.append(
                    Watched(
                        place: step.place,
                        path: path,
                        readable: readable.compactMap { $0?.permissions }
                    )
                )
            }
            waiting.append(Step(place: step.place, start: all.count))
            for (name, place) in Self.lastFirst(step.place.below) {
                let node = withBytes(of: name) { step.node?.child(named: $0) }
                waiting.append(Step(place: place, node: node, above: step.node))
            }
        }
    }

    /// Where in ``all`` those below a place are that is one of them, or on the way.
    func below(_ place: WatchTable.Place?) -> Range<Int> {
        place.flatMap { ranges[ObjectIdentifier($0)] } ?? 0..<0
    }

    /// Notes that no watch of a place takes another event.
    mutating func noteDeaf(_ index: Int) { all[index].isDeaf = true }

    private struct Step {
        let place: WatchTable.Place
        var node: Node?
        var above: Node?
        /// Set where all below the place have been found since.
        var start: Int?
    }

    /// Places by name, the last first.
    private static func lastFirst(
        _ places: [String: WatchTable.Place]
    ) -> [(key: String, value: WatchTable.Place)] {
        places.count < 2 ? Array(places) : places.sorted { $0.key > $1.key }
    }
}
