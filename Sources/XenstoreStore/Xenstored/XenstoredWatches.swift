import XenstoreProtocol

/// WATCH, UNWATCH, RESET_WATCHES and the events.
extension Store {
    func watch(
        _ path: XenstorePath,
        token: [UInt8],
        depth: UInt32?,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        if depth != nil {
            guard availableFeatures(of: caller.domain) & ServerFeature.watchDepth != 0 else {
                throw .invalid
            }
        }
        let resolved = try resolve(path, caller, allowsSpecial: true)
        let id = caller.connection.id
        guard !watches.contains(id, resolved, token) else { throw .exists }
        let isRelative = !path.isAbsolute && !path.isSpecial
        let watch = Watch(
            connection: caller.connection,
            path: resolved,
            token: token,
            depth: depth,
            prefixLength: isRelative ? resolved.text.utf8.count - path.text.utf8.count : 0,
            order: watches.nextOrder()
        )
        try checkWatchQuotas(watch, caller)
        watches.add(watch)
        domains.countWatch(watch, of: caller.domain, by: 1)
        if let event = event(watch, resolved) { effectsAfterReply.append(event) }
    }

    func unwatch(
        _ path: XenstorePath,
        token: [UInt8],
        _ caller: Caller
    ) throws(StoreErrorCode) {
        let resolved = try resolve(path, caller, allowsSpecial: true)
        guard let watch = watches.remove(caller.connection.id, resolved, token) else {
            throw .noEntry
        }
        domains.countWatch(watch, of: caller.domain, by: -1)
    }

    func endWatchesAndTransactions(of connection: Connection) {
        for watch in watches.removeAll(of: connection.id) {
            domains.countWatch(watch, of: connection.domain, by: -1)
        }
        domains[connection.domain].transactions -= connection.endTransactions()
    }

    /// Tells the watches of a change, now, or when the caller's transaction is committed.
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

    /// Tells the watches of a change of the store's tree. A domain hears of it if it may read the
    /// node, could read it before, or may read the node's parent.
    private func notify(_ path: StorePath, _ scope: EventScope, oldPermissions: Permissions?) {
        guard !watches.isEmpty else { return }
        let hearing = watches.watches(hearingOf: path, scope)
        guard !hearing.watches.isEmpty else { return }
        var readable: [Permissions] = oldPermissions.map { [$0] } ?? []
        if let node = tree.node(at: path) {
            readable.append(node.permissions)
            if let parent = tree.node(at: path.parent) { readable.append(parent.permissions) }
        }
        send(hearing, path, readable)
    }

    /// Tells the watches that a node goes with all below it, while it is still there: those of the
    /// nodes below first, children before their parents and siblings in order.
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

    /// Tells the watches of a special path of a domain that came or went.
    func notifySpecial(_ path: StorePath, domain: DomainID) {
        guard !watches.isEmpty, let node = tree.node(at: path) else { return }
        let readable = [node.permissions, tree.root.permissions]
        send(watches.watchesWithoutDepth(of: path), path, readable)
        let domainPath = path.appending(domain.description)
        send(
            watches.watchesWithDepth(of: path, domain: domainPath),
            domainPath,
            readable
        )
    }

    private func checkWatchQuotas(_ watch: Watch, _ caller: Caller) throws(StoreErrorCode) {
        let domain = domains[caller.domain]
        // Both daemons allow one more than the quota says.
        if let limit = domains.limit(.watches, of: caller.domain), domain.watches > limit {
            throw .tooBig
        }
        if let limit = domains.limit(.memory, of: caller.domain),
            tree.usage[caller.domain].bytes + domain.besideNodes + watch.size > limit
        {
            throw .noMemory
        }
    }

    /// Tells watches of a change, each connection by the order of its watches.
    func send(_ hearing: HeardBy, _ path: StorePath, _ readable: [Permissions]) {
        var told: Set<Telling> = []
        var last: (connection: Connection, mayHear: Bool)?
        for watch in hearing.watches {
            // Two watches of one token tell a connection nothing different, and the C daemon sends
            // no event that is waiting already.
            if hearing.isMixed, !told.insert(Telling(watch)).inserted { continue }
            let connection = watch.connection
            if connection !== last?.connection {
                let mayHear =
                    connection.isPrivileged
                    ? !readable.isEmpty
                    : readable.contains { access(of: connection, $0).contains(.read) }
                last = (connection, mayHear)
            }
            guard last?.mayHear == true, let event = event(watch, path) else { continue }
            effects.append(event)
        }
    }

    /// The event of a watch; nil if it does not fit a message, or what its domain may take, as the
    /// C daemon drops it then.
    func event(_ watch: Watch, _ path: StorePath) -> StoreEffect? {
        let pathBytes = path.text.utf8.count - watch.prefixLength
        let size = pathBytes + watch.token.count + 2
        guard size <= ProtocolLimits.payloadSize, takeRoom(for: size, watch.connection) else {
            return nil
        }
        var payload: [UInt8] = []
        payload.reserveCapacity(size)
        withBytes(of: path.text) { bytes in
            payload.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[watch.prefixLength...]))
        }
        payload.append(0)
        payload.append(contentsOf: watch.token)
        payload.append(0)
        return .send(Message(.watchEvent, payload: payload), to: watch.connection.id)
    }

    /// Bytes that an event takes beside its payload. It also bounds the events of one request, and
    /// so the time that all others wait for it.
    static let eventOverhead = 256

    /// Whether an event may be made for a connection: what waits for a guest is part of the memory
    /// that its quota allows. Once there is no room, nothing more of the same request is told it.
    private func takeRoom(for payload: Int, _ connection: Connection) -> Bool {
        guard !connection.isPrivileged else { return true }
        guard !connection.isFull(in: requestCount) else { return false }
        let domain = connection.domain
        let made = effectBytes[domain, default: 0] + payload + Self.eventOverhead
        guard made <= roomForEvents(of: domain) else {
            connection.noteFull(in: requestCount)
            reportFull(domain)
            return false
        }
        effectBytes[domain] = made
        return true
    }

    /// The bytes that the events of one request may take for a domain.
    func roomForEvents(of domain: DomainID) -> Int {
        guard domain != .privileged else { return .max }
        let limit = domains.limit(.memory, of: domain) ?? eventMemory(of: domain)
        return limit - tree.usage[domain].bytes - domains[domain].besideNodes
    }

    /// The bytes that may wait for a guest where the quota `memory` is not there: oxenstored has
    /// none.
    private func eventMemory(of domain: DomainID) -> Int {
        compatibility == .oxenstored ? Int(Quota.memory.defaultValue) : .max
    }

    func reportFull(_ domain: DomainID) {
        guard let report, !domains[domain].isReportedFull else { return }
        domains[domain].isReportedFull = true
        report("domain \(domain) does not take its events: its quota of memory is used up")
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
