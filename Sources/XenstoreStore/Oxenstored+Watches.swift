import XenstoreProtocol

/// Watches as oxenstored has them: the events of a change follow its reply, from the root's watches
/// down, none is left out, and a removal is told to the watches below it, of nodes that existed or
/// not.
extension Store {
    func oxenstoredWatch(
        _ path: XenstorePath,
        token: [UInt8],
        _ caller: Caller
    ) throws(StoreErrorCode) {
        if let limit = domains.limit(.watches, of: caller.domain),
            domains[caller.domain].watches > limit
        {
            throw .quota
        }
        let resolved = StorePath(path, from: caller.domain)
        let id = caller.connection.id
        guard !watches.contains(id, resolved, token) else { throw .exists }
        let isRelative = !path.isAbsolute && !path.isSpecial
        let watch = Watch(
            connection: id,
            path: resolved,
            token: token,
            depth: nil,
            prefixLength: isRelative ? resolved.text.utf8.count - path.text.utf8.count : 0,
            order: watches.nextOrder()
        )
        watches.add(watch)
        domains.countWatch(watch, of: caller.domain, by: 1)
        if let event = event(watch, resolved) { effectsAfterReply.append(event) }
    }

    func oxenstoredUnwatch(
        _ path: XenstorePath,
        token: [UInt8],
        _ caller: Caller
    ) throws(StoreErrorCode) {
        let resolved = StorePath(path, from: caller.domain)
        guard let watch = watches.remove(caller.connection.id, resolved, token) else {
            throw .noEntry
        }
        domains.countWatch(watch, of: caller.domain, by: -1)
    }

    /// Tells of a change of the caller's tree, after the reply, or when its transaction ends.
    ///
    /// - Parameter before: the tree before the change, where that decides who may hear of it.
    func tell(
        _ kind: ReplayLog.Event.Kind,
        _ path: StorePath,
        before: Tree?,
        _ caller: Caller
    ) {
        let event = ReplayLog.Event(kind: kind, path: path)
        if let transaction = caller.transaction {
            transaction.log?.events.append(event)
        } else {
            effectsAfterReply += events(of: event, before: before ?? tree, after: tree)
        }
    }

    /// The events of one change.
    func events(of change: ReplayLog.Event, before: Tree, after: Tree) -> [StoreEffect] {
        guard !watches.isEmpty else { return [] }
        let trees =
            switch change.kind {
            case .changed: [after]
            case .permissions: [before, after]
            case .removed: [before]
            }
        let path = change.path
        var heard = watches.watches(fromRootTo: path).map { ($0, path) }
        if change.kind == .removed {
            heard += watches.watches(below: path).map { ($0, $0.path) }
        }
        return heard.compactMap { watch, path in
            mayHear(watch, of: path, in: trees) ? event(watch, path) : nil
        }
    }

    /// Tells of a domain that came or went.
    func tellSpecial(_ path: StorePath) {
        let node = StorePath.root.appending(path.text)
        for watch in watches.latestFirst(at: path) where mayHear(watch, of: node, in: [tree]) {
            if let event = event(watch, path) { effects.append(event) }
        }
    }

    /// Whether the owner of a watch may read a node, or the one above it, in any of the trees.
    /// Nobody hears of the root.
    private func mayHear(_ watch: Watch, of path: StorePath, in trees: [Tree]) -> Bool {
        guard !path.isRoot, let connection = connections[watch.connection] else { return false }
        let node = path.isSpecial ? StorePath.root.appending(path.text) : path
        return trees.contains { tree in
            guard let parent = tree.node(at: node.parent) else { return false }
            return [parent, tree.node(at: node)].contains { node in
                guard let permissions = node?.permissions else { return false }
                return oxenstoredAccess(of: connection, permissions).contains(.read)
            }
        }
    }
}
