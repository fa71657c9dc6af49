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
            connection: id,
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
        domains[connection.domain].transactions -= connection.transactions.count
        connection.transactions = [:]
    }

    /// Tells the watches of a change, now, or when the caller's transaction is committed.
    func notify(
        _ path: StorePath,
        _ scope: EventScope,
        _ caller: Caller,
        oldPermissions: Permissions? = nil
    ) {
        if let transaction = caller.transaction {
            transaction.noteEvent(path, scope)
        } else {
            notify(path, scope, oldPermissions: oldPermissions)
        }
    }

    /// Tells the watches of a change of the store's tree. A domain hears of it if it may read the
    /// node, could read it before, or may read the node's parent.
    func notify(_ path: StorePath, _ scope: EventScope, oldPermissions: Permissions?) {
        notify(
            path,
            scope,
            oldPermissions: oldPermissions,
            parentPermissions: tree.node(at: path.parent)?.permissions
        )
    }

    /// The same where the parent is not, or not yet, what the tree holds.
    func notify(
        _ path: StorePath,
        _ scope: EventScope,
        oldPermissions: Permissions?,
        parentPermissions: @autoclosure () -> Permissions?
    ) {
        guard !watches.isEmpty else { return }
        let hearing = watches.watches(hearingOf: path, scope)
        guard !hearing.isEmpty else { return }
        var readable: [Permissions] = oldPermissions.map { [$0] } ?? []
        if let node = tree.node(at: path) {
            readable.append(node.permissions)
            if let parent = parentPermissions() { readable.append(parent) }
        }
        send(hearing, path, readable)
    }

    /// Tells the watches that a node goes with all below it, while it is still there.
    func notifyRemoval(
        of node: Node,
        at path: StorePath,
        below: some BidirectionalCollection<(StorePath, Node)>
    ) {
        guard !watches.isEmpty else { return }
        for (path, _) in Self.childrenFirst(below) {
            notify(path, .exact, oldPermissions: nil)
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
            tree.usage[caller.domain].bytes + domain.watchBytes + watch.size > limit
        {
            throw .noMemory
        }
    }

    private func send(_ watches: [Watch], _ path: StorePath, _ readable: [Permissions]) {
        var heard: Set<ConnectionID> = []
        for (index, watch) in watches.enumerated() {
            // Two watches of one token tell a connection nothing different, and the C daemon sends
            // no event that is waiting already.
            let isFirst = watches.count == 1 || heard.insert(watch.connection).inserted
            guard isFirst || !watches[..<index].contains(where: { $0.tellsTheSame(as: watch) })
            else { continue }
            guard let connection = connections[watch.connection],
                connection.isPrivileged
                    ? !readable.isEmpty
                    : readable.contains(where: { access(of: connection, $0).contains(.read) }),
                let event = event(watch, path)
            else { continue }
            effects.append(event)
        }
    }

    /// The event of a watch; nil if it does not fit a message, as the C daemon drops it then.
    func event(_ watch: Watch, _ path: StorePath) -> StoreEffect? {
        var payload: [UInt8] = []
        payload.reserveCapacity(path.text.utf8.count + watch.token.count + 2)
        payload.append(contentsOf: path.text.utf8.dropFirst(watch.prefixLength))
        payload.append(0)
        payload.append(contentsOf: watch.token)
        payload.append(0)
        guard payload.count <= ProtocolLimits.payloadSize else { return nil }
        return .send(Message(.watchEvent, payload: payload), to: watch.connection)
    }

    /// Turns a walk that comes to parents before their children, siblings in order, into one that
    /// comes to parents after them, siblings still in order.
    private static func childrenFirst(
        _ walk: some BidirectionalCollection<(StorePath, Node)>
    ) -> [(StorePath, Node)] {
        var result: [(StorePath, Node)] = []
        var open: [(StorePath, Node, remaining: Int)] = []
        for (path, node) in walk {
            open.append((path, node, node.children.count))
            while let last = open.last, last.remaining == 0 {
                open.removeLast()
                result.append((last.0, last.1))
                if let parent = open.indices.last { open[parent].remaining -= 1 }
            }
        }
        return result
    }
}
