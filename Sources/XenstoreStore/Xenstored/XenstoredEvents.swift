import XenstoreProtocol

/// The events of changes, as C xenstored sends them: before the reply, to each connection by the
/// order of its watches.
final class XenstoredEvents {
    private let access: XenstoredAccess
    private let nodes: NodeStore
    private let watches: WatchTable
    private let accounts: DomainAccounts
    private let outbox: Outbox

    init(_ state: StoreState, _ access: XenstoredAccess) {
        nodes = state.nodes
        watches = state.watches
        accounts = state.accounts
        outbox = state.outbox
        self.access = access
    }

    /// Sends the events of a change, now, or when the caller's transaction is committed.
    func notify(
        _ path: StorePath,
        _ scope: EventScope,
        _ caller: Caller,
        oldPermissions: Permissions? = nil
    ) {
        if let transaction = caller.transaction {
            guard let place = transaction.footprint.place(of: path) else {
                preconditionFailure("a change in a transaction without an access")
            }
            transaction.noteEvent(place, scope)
        } else {
            notify(path, scope, oldPermissions: oldPermissions)
        }
    }

    /// Sends the events of a change of the store's tree. A domain hears of it if it may read the
    /// node, could read it before, or may read the node's parent.
    private func notify(_ path: StorePath, _ scope: EventScope, oldPermissions: Permissions?) {
        guard !watches.isEmpty else { return }
        let hearing = watches.watches(hearingOf: path, scope)
        guard !hearing.watches.isEmpty else { return }
        var readable: [Permissions] = oldPermissions.map { [$0] } ?? []
        if let node = nodes.tree.node(at: path) {
            readable.append(node.permissions)
            if let parent = nodes.tree.node(at: path.parent) { readable.append(parent.permissions) }
        }
        send(hearing, path, readable)
    }

    /// Sends the events of a node that goes with all below it, while it is still there: those of
    /// the nodes below first, children before their parents and siblings in order.
    func notifyRemoval(of node: Node, at path: StorePath) {
        guard !watches.isEmpty else { return }
        // Of the nodes only those are visited that have watches at them or below.
        let top = RemovedNode(node, below: nil, watches.place(of: path))
        var waiting = [top]
        while let next = waiting.popLast() {
            if let place = next.place {
                next.place = nil
                next.heard = place.watches
                waiting.append(next)
                waiting.append(contentsOf: next.children(below: place).reversed())
            } else if let above = next.above, !next.heard.isEmpty {
                send(
                    HeardBy(watches: next.heard, isMixed: false),
                    next.path(below: path),
                    [next.node.permissions, above.node.permissions]
                )
            }
        }
        notify(path, .subtree, oldPermissions: nil)
    }

    /// Sends the events to the watches of a special path of a domain that came or went.
    func notifySpecial(_ path: StorePath, domain: DomainID) {
        guard !watches.isEmpty, let node = nodes.tree.node(at: path) else { return }
        let readable = [node.permissions, nodes.tree.root.permissions]
        send(watches.watchesWithoutDepth(of: path), path, readable)
        let domainPath = path.appending(domain.description)
        send(
            watches.watchesWithDepth(of: path, domain: domainPath),
            domainPath,
            readable
        )
    }

    /// Sends watches the event of a change, each connection by the order of its watches.
    private func send(_ hearing: HeardBy, _ path: StorePath, _ readable: [Permissions]) {
        var sent: Set<Telling> = []
        var last: (connection: Connection, mayHear: Bool)?
        for watch in hearing.watches {
            // Two watches of one token have the same event for a connection, and the C daemon sends
            // no event that is waiting already.
            if hearing.isMixed, !sent.insert(Telling(watch)).inserted { continue }
            let connection = watch.connection
            if connection !== last?.connection {
                last = (connection, mayHear(connection, readable))
            }
            if last?.mayHear == true { outbox.send(watch, path) }
        }
    }

    /// Sends the events of what a transaction has changed, in the order in which it first looked at
    /// each node.
    func notifyCommit(of footprint: Footprint) {
        guard !watches.isEmpty else { return }
        let found = footprint.nodes(in: nodes.tree)
        var trail = watches.trail(along: footprint)
        var path = FootprintPath(footprint)
        var events = CommitEvents(.oldestFirst, accounts) { self.mayHear($0, $1) }
        for (order, place) in footprint.accessed.enumerated() {
            guard let scope = footprint.places[place].event else { continue }
            trail.hear(of: place, scope, &events)
            guard !events.isUnheard else { continue }
            var readable = footprint.places[place].permissions.map { [$0] } ?? []
            if let node = found[place] {
                readable.append(node.permissions)
                let above = max(footprint.places[place].parent, Footprint.root)
                // The C daemon writes and sends node by node, so a parent that comes later still
                // has its permissions of before.
                let parent =
                    footprint.places[above].order > order
                    ? footprint.places[above].permissions : found[above]?.permissions
                if let parent { readable.append(parent) }
            }
            path.move(to: place, in: footprint)
            path.bytes.withUnsafeBufferPointer { path in
                events.send(path, level: trail.level(of: place), readable)
            }
        }
        outbox.send(events)
    }
    /// Whether a connection may hear of what can be read by any of these permissions.
    private func mayHear(_ connection: Connection, _ readable: [Permissions]) -> Bool {
        connection.isPrivileged
            ? !readable.isEmpty
            : readable.contains { access.access(of: connection, $0).contains(.read) }
    }
}

/// What makes the events of one change the same bytes to the same connection.
private struct Telling: Hashable {
    let connection: ConnectionID
    let prefixLength: Int
    let token: [UInt8]

    init(_ watch: Watch) {
        connection = watch.connection.id
        prefixLength = watch.prefixLength
        token = watch.token
    }
}

/// A node that goes, and the watches at it and below.
private final class RemovedNode {
    let node: Node
    /// Nil for the one that all others are below.
    let above: RemovedNode?
    /// Nil once what is below was visited.
    var place: WatchTable.Place?
    var heard: [Watch] = []

    init(_ node: Node, below above: RemovedNode?, _ place: WatchTable.Place?) {
        self.node = node
        self.above = above
        self.place = place
    }

    func path(below top: StorePath) -> StorePath {
        var names: [String] = []
        var place = self
        while let above = place.above {
            names.append(place.node.name)
            place = above
        }
        return StorePath(text: top.text + "/" + names.reversed().joined(separator: "/"))
    }

    /// The children that have watches at them or below, in their order.
    func children(below place: WatchTable.Place) -> [RemovedNode] {
        guard !place.below.isEmpty else { return [] }
        var found: [RemovedNode] = []
        if place.below.count < node.children.count {
            for (name, below) in place.below {
                guard let child = withBytes(of: name, { node.child(named: $0) }) else { continue }
                found.append(RemovedNode(child, below: self, below))
            }
            found.sort { $0.node.creation < $1.node.creation }
        } else {
            node.children.forEach { child in
                guard let below = place.below[child.name] else { return }
                found.append(RemovedNode(child, below: self, below))
            }
        }
        return found
    }
}
