import XenstoreProtocol

/// Which watches hear of a change of a node.
enum EventScope {
    /// Those of the node itself: it went with one above it.
    case exact
    /// Those of the node and of the nodes above it, as deep as they look.
    case subtree
}

/// One watch of one connection.
struct Watch {
    let connection: ConnectionID
    let path: StorePath
    let token: [UInt8]
    /// How many levels below its path it looks; nil for all.
    let depth: UInt32?
    /// Bytes that events leave out at the front of their paths: the home of the domain for a
    /// relative watch.
    let prefixLength: Int
    /// Grows from each watch to the next; a connection gets the events of one change by it.
    let order: UInt64

    /// Whether the events of one change are the same bytes to the same connection.
    func tellsTheSame(as other: Watch) -> Bool {
        connection == other.connection && prefixLength == other.prefixLength
            && token == other.token
    }

    /// The bytes that the quota `memory` counts.
    var size: Int { path.text.utf8.count + token.count }
}

/// All watches, in a tree of the names in their paths: a change costs as much as watches stand
/// above it, and a removal knows whether any stand below.
struct WatchTable {
    /// The watches of one path, and the way to those below.
    private final class Place {
        var watches: [Watch] = []
        var below: [String: Place] = [:]

        var isEmpty: Bool { watches.isEmpty && below.isEmpty }
    }

    private let root = Place()
    /// Special paths stand beside the tree, each by its whole text.
    private let specials = Place()
    private var byConnection: [ConnectionID: Set<StorePath>] = [:]
    private var lastOrder: UInt64 = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func nextOrder() -> UInt64 {
        lastOrder += 1
        return lastOrder
    }

    func contains(_ connection: ConnectionID, _ path: StorePath, _ token: [UInt8]) -> Bool {
        watches(at: path).contains { $0.connection == connection && $0.token == token }
    }

    mutating func add(_ watch: Watch) {
        var place = watch.path.isSpecial ? specials : root
        for name in Self.steps(watch.path) {
            let next = place.below[name] ?? Place()
            place.below[name] = next
            place = next
        }
        place.watches.append(watch)
        byConnection[watch.connection, default: []].insert(watch.path)
        count += 1
    }

    /// Ends one watch.
    mutating func remove(
        _ connection: ConnectionID,
        _ path: StorePath,
        _ token: [UInt8]
    ) -> Watch? {
        let ended = remove(at: path) { $0.connection == connection && $0.token == token }
        if !watches(at: path).contains(where: { $0.connection == connection }) {
            byConnection[connection]?.remove(path)
            if byConnection[connection]?.isEmpty == true { byConnection[connection] = nil }
        }
        return ended.first
    }

    /// Ends all watches of a connection.
    mutating func removeAll(of connection: ConnectionID) -> [Watch] {
        let paths = byConnection.removeValue(forKey: connection) ?? []
        return paths.flatMap { remove(at: $0) { $0.connection == connection } }
    }

    /// Whether a connection has any watch.
    func hasAny(of connection: ConnectionID) -> Bool { byConnection[connection] != nil }

    /// All watches, in no order.
    var all: [Watch] {
        byConnection.flatMap { connection, paths in
            paths.flatMap { path in watches(at: path).filter { $0.connection == connection } }
        }
    }

    /// Whether any watch stands below a path, itself not counted.
    func hasAny(below path: StorePath) -> Bool { place(of: path)?.below.isEmpty == false }

    /// The watches that hear of a change, oldest first.
    func watches(hearingOf path: StorePath, _ scope: EventScope) -> [Watch] {
        guard scope == .subtree, !path.isSpecial else { return watches(at: path) }
        var names = path.names
        var place = root
        var level: UInt32 = 0
        /// All watches on the way, and the levels at which they stand.
        var passed = place.watches.map { ($0, level) }
        while let name = names.next() {
            level += 1
            guard let next = place.below[name] else {
                // Nobody watches here or below, but depths count to the end of the path.
                while names.next() != nil { level += 1 }
                break
            }
            place = next
            for watch in place.watches { passed.append((watch, level)) }
        }
        passed.removeAll { level - $1 > $0.depth ?? .max }
        if passed.count > 1 { passed.sort { $0.0.order < $1.0.order } }
        return passed.map(\.0)
    }

    /// The watches of a path and of those above it, from the root down, and at each the latest
    /// first: the order of oxenstored.
    func watches(fromRootTo path: StorePath) -> [Watch] {
        var found: [Watch] = root.watches.reversed()
        var place = root
        for name in path.names {
            guard let next = place.below[name] else { break }
            place = next
            found += place.watches.reversed()
        }
        return found
    }

    /// The watches below a path, parents first and siblings by name: the order of oxenstored.
    func watches(below path: StorePath) -> [Watch] {
        var found: [Watch] = []
        var waiting = place(of: path).map(Self.childrenLastFirst) ?? []
        while let next = waiting.popLast() {
            found += next.watches.reversed()
            waiting += Self.childrenLastFirst(next)
        }
        return found
    }

    /// The watches of exactly one path, the latest first.
    func latestFirst(at path: StorePath) -> [Watch] { watches(at: path).reversed() }

    private static func childrenLastFirst(_ place: Place) -> [Place] {
        place.below.sorted { $0.key > $1.key }.map(\.value)
    }

    /// The watches that hear of a special path as a whole: those that set no depth.
    func watchesWithoutDepth(of path: StorePath) -> [Watch] {
        watches(at: path).filter { $0.depth == nil }
    }

    /// The watches that hear of one domain at a special path: of the domain's own path, or of the
    /// special path with a depth.
    func watchesWithDepth(of path: StorePath, domain: StorePath) -> [Watch] {
        let deep = watches(at: path).filter { ($0.depth ?? 0) > 0 }
        return (deep + watches(at: domain)).sorted { $0.order < $1.order }
    }

    private func watches(at path: StorePath) -> [Watch] { place(of: path)?.watches ?? [] }

    private func place(of path: StorePath) -> Place? {
        var place = path.isSpecial ? specials : root
        for name in Self.steps(path) {
            guard let next = place.below[name] else { return nil }
            place = next
        }
        return place
    }

    /// Ends watches at a path, and the places that nothing needs any more.
    private mutating func remove(
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
