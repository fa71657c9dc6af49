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

    /// The bytes that the quota `memory` counts.
    var size: Int { path.text.utf8.count + token.count }
}

/// All watches, found by path: a change costs as much as its path is deep, however many there are.
struct WatchTable {
    private var byPath: [StorePath: [Watch]] = [:]
    private var byConnection: [ConnectionID: Set<StorePath>] = [:]
    /// How many watches stand below each path, to spare removals the walk where there are none.
    private var countBelow: [StorePath: Int] = [:]
    private var lastOrder: UInt64 = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func nextOrder() -> UInt64 {
        lastOrder += 1
        return lastOrder
    }

    func contains(_ connection: ConnectionID, _ path: StorePath, _ token: [UInt8]) -> Bool {
        byPath[path]?.contains { $0.connection == connection && $0.token == token } ?? false
    }

    mutating func add(_ watch: Watch) {
        byPath[watch.path, default: []].append(watch)
        byConnection[watch.connection, default: []].insert(watch.path)
        changeCount(above: watch.path, by: 1)
        count += 1
    }

    /// Ends one watch.
    mutating func remove(
        _ connection: ConnectionID,
        _ path: StorePath,
        _ token: [UInt8]
    ) -> Watch? {
        guard
            let index = byPath[path]?.firstIndex(where: {
                $0.connection == connection && $0.token == token
            }),
            let watch = byPath[path]?.remove(at: index)
        else { return nil }
        let remaining = byPath[path] ?? []
        if remaining.isEmpty { byPath[path] = nil }
        if !remaining.contains(where: { $0.connection == connection }) {
            byConnection[connection]?.remove(path)
            if byConnection[connection]?.isEmpty == true { byConnection[connection] = nil }
        }
        changeCount(above: path, by: -1)
        count -= 1
        return watch
    }

    /// Ends all watches of a connection.
    mutating func removeAll(of connection: ConnectionID) -> [Watch] {
        var removed: [Watch] = []
        for path in byConnection.removeValue(forKey: connection) ?? [] {
            let watches = byPath[path] ?? []
            let ended = watches.filter { $0.connection == connection }
            let remaining = watches.filter { $0.connection != connection }
            byPath[path] = remaining.isEmpty ? nil : remaining
            changeCount(above: path, by: -ended.count)
            removed += ended
        }
        count -= removed.count
        return removed
    }

    /// Whether a connection has any watch.
    func hasAny(of connection: ConnectionID) -> Bool { byConnection[connection] != nil }

    /// Whether any watch stands below a path, itself not counted.
    func hasAny(below path: StorePath) -> Bool { countBelow[path] != nil }

    /// The watches that hear of a change, oldest first.
    func watches(hearingOf path: StorePath, _ scope: EventScope) -> [Watch] {
        var found = byPath[path] ?? []
        if scope == .subtree {
            var levels: UInt32 = 0
            var above = path
            while let next = Self.above(above) {
                above = next
                levels += 1
                for watch in byPath[above] ?? [] where levels <= watch.depth ?? .max {
                    found.append(watch)
                }
            }
            if found.count > 1 { found.sort { $0.order < $1.order } }
        }
        return found
    }

    /// The watches that hear of a special path as a whole: those that set no depth.
    func watchesWithoutDepth(of path: StorePath) -> [Watch] {
        (byPath[path] ?? []).filter { $0.depth == nil }
    }

    /// The watches that hear of one domain at a special path: of the domain's own path, or of the
    /// special path with a depth.
    func watchesWithDepth(of path: StorePath, domain: StorePath) -> [Watch] {
        let deep = (byPath[path] ?? []).filter { ($0.depth ?? 0) > 0 }
        return (deep + (byPath[domain] ?? [])).sorted { $0.order < $1.order }
    }

    private mutating func changeCount(above path: StorePath, by difference: Int) {
        var above = path
        while let next = Self.above(above) {
            above = next
            let count = countBelow[above, default: 0] + difference
            countBelow[above] = count == 0 ? nil : count
        }
    }

    /// The next path up of which watches hear what happens here.
    private static func above(_ path: StorePath) -> StorePath? {
        path.isRoot || path.isSpecial ? nil : path.parent
    }
}
