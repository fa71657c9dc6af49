import XenstoreProtocol

/// Which watches hear of a change of a node.
enum EventScope {
    /// Those of the node itself: it went with one above it.
    case exact
    /// Those of the node and of the nodes above it, as deep as they look.
    case subtree
}

/// One watch of one connection.
final class Watch {
    let connection: Connection
    let path: StorePath
    let token: [UInt8]
    /// How many levels below its path it looks; nil for all.
    let depth: UInt32?
    /// Bytes that events leave out at the front of their paths: the home of the domain for a
    /// relative watch.
    let prefixLength: Int
    /// Grows from each watch to the next; a connection gets the events of one change by it.
    let order: UInt64

    /// - Parameter given: the path as the client has written it.
    init(
        connection: Connection,
        path: StorePath,
        given: XenstorePath,
        token: [UInt8],
        depth: UInt32?,
        order: UInt64
    ) {
        self.connection = connection
        self.path = path
        self.token = token
        self.depth = depth
        let isRelative = !given.isAbsolute && !given.isSpecial
        prefixLength = isRelative ? path.text.utf8.count - given.text.utf8.count : 0
        self.order = order
    }

    /// The bytes that the quota `memory` counts.
    var size: Int { path.text.utf8.count + token.count }
}

/// All watches, in a tree of the names in their paths: a change costs as much as watches stand
/// above it, and a removal knows whether any stand below.
final class WatchTable {
    /// The watches of one path, and the way to those below.
    final class Place {
        fileprivate(set) var watches: [Watch] = []
        fileprivate(set) var below: [String: Place] = [:]

        var isEmpty: Bool { watches.isEmpty && below.isEmpty }
    }

    private let root = Place()
    /// Special paths stand beside the tree, each by its whole text.
    private let specials = Place()
    private var byConnection: [ConnectionID: Set<StorePath>] = [:]
    private var lastOrder: UInt64 = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    func nextOrder() -> UInt64 {
        lastOrder += 1
        return lastOrder
    }

    func contains(_ connection: ConnectionID, _ path: StorePath, _ token: [UInt8]) -> Bool {
        watches(at: path).contains { $0.connection.id == connection && $0.token == token }
    }

    func add(_ watch: Watch) {
        var place = watch.path.isSpecial ? specials : root
        for name in Self.steps(watch.path) {
            let next = place.below[name] ?? Place()
            place.below[name] = next
            place = next
        }
        place.watches.append(watch)
        byConnection[watch.connection.id, default: []].insert(watch.path)
        count += 1
    }

    /// Ends one watch.
    func remove(
        _ connection: ConnectionID,
        _ path: StorePath,
        _ token: [UInt8]
    ) -> Watch? {
        let ended = remove(at: path) { $0.connection.id == connection && $0.token == token }
        if !watches(at: path).contains(where: { $0.connection.id == connection }) {
            byConnection[connection]?.remove(path)
            if byConnection[connection]?.isEmpty == true { byConnection[connection] = nil }
        }
        return ended.first
    }

    /// Ends all watches of a connection.
    func removeAll(of connection: ConnectionID) -> [Watch] {
        let paths = byConnection.removeValue(forKey: connection) ?? []
        return paths.flatMap { remove(at: $0) { $0.connection.id == connection } }
    }

    /// Whether a connection has any watch.
    func hasAny(of connection: ConnectionID) -> Bool { byConnection[connection] != nil }

    /// All watches, in no order.
    var all: [Watch] {
        byConnection.flatMap { connection, paths in
            paths.flatMap { path in watches(at: path).filter { $0.connection.id == connection } }
        }
    }

    /// The watches that hear of a change.
    func watches(hearingOf path: StorePath, _ scope: EventScope) -> HeardBy {
        guard scope == .subtree, !path.isSpecial else {
            return HeardBy(watches: watches(at: path), isMixed: false)
        }
        var names = path.names
        var hearing = Hearing(root.watches, level: 0)
        var place = root
        var level: UInt32 = 0
        while let name = names.next() {
            level += 1
            guard let next = place.below[name] else {
                // Nobody watches here or below, but depths count to the end of the path.
                while names.next() != nil { level += 1 }
                break
            }
            place = next
            hearing.add(place.watches, level: level)
        }
        return hearing.watches(upTo: level)
    }

    /// The watches at the places of a transaction and above them.
    func trail(along footprint: Footprint) -> WatchTrail {
        var places: [Place?] = []
        places.reserveCapacity(footprint.places.count)
        for (index, place) in footprint.places.enumerated() {
            if place.parent != Footprint.nothing {
                places.append(places[place.parent]?.below[place.name])
            } else {
                places.append(index == Footprint.root ? root : specials.below[place.name])
            }
        }
        return WatchTrail(footprint, places)
    }

    /// The places at a path and above it that have watches, from the root down: the order of
    /// oxenstored, which has the latest watch of each first.
    func places(fromRootTo path: StorePath) -> [Place] {
        var found = root.watches.isEmpty ? [] : [root]
        var place = root
        for name in path.names {
            guard let next = place.below[name] else { break }
            place = next
            if !next.watches.isEmpty { found.append(next) }
        }
        return found
    }

    /// The watches of exactly one path, the latest first.
    func latestFirst(at path: StorePath) -> [Watch] { watches(at: path).reversed() }

    /// The watches that hear of a special path as a whole: those that set no depth.
    func watchesWithoutDepth(of path: StorePath) -> HeardBy {
        HeardBy(watches: watches(at: path).filter { $0.depth == nil }, isMixed: false)
    }

    /// The watches that hear of one domain at a special path: of the domain's own path, or of the
    /// special path with a depth.
    func watchesWithDepth(of path: StorePath, domain: StorePath) -> HeardBy {
        let deep = watches(at: path).filter { ($0.depth ?? 0) > 0 }
        let all = deep + watches(at: domain)
        return HeardBy(watches: all.sorted { $0.order < $1.order }, isMixed: true)
    }

    private func watches(at path: StorePath) -> [Watch] { place(of: path)?.watches ?? [] }

    /// The place of a path, if there are watches at it or below.
    func place(of path: StorePath) -> Place? {
        var place = path.isSpecial ? specials : root
        for name in Self.steps(path) {
            guard let next = place.below[name] else { return nil }
            place = next
        }
        return place
    }

    /// Ends watches at a path, and the places that nothing needs any more.
    private func remove(
        at path: StorePath,
        where isEnded: (Watch) -> Bool
    ) -> [Watch] {
        var way: [(Place, String)] = []
        var place = path.isSpecial ? specials : root
        for name in Self.steps(path) {
            guard let next = place.below[name] else { return [] }
            way.append((place, name))
            place = next
        }
        let ended = place.watches.filter(isEnded)
        place.watches.removeAll(where: isEnded)
        while place.isEmpty, let (above, name) = way.popLast() {
            above.below[name] = nil
            place = above
        }
        count -= ended.count
        return ended
    }

    private static func steps(_ path: StorePath) -> [String] {
        path.isSpecial ? [path.text] : Array(path.names)
    }
}
