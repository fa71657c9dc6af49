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
            connection: caller.connection,
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
        let hearing = watches.watches(fromRootTo: path)
        // What decides who may hear of it is looked up once for all of them.
        let readable = hearing.isEmpty ? [] : readable(path, in: trees)
        var effects = hearing.compactMap { watch in
            mayHear(watch, readable) ? event(watch, path) : nil
        }
        guard change.kind == .removed else { return effects }
        for watch in watches.watches(below: path) {
            guard mayHear(watch, self.readable(watch.path, in: trees)),
                let event = event(watch, watch.path)
            else { continue }
            effects.append(event)
        }
        return effects
    }

    /// Tells of a domain that came or went.
    func tellSpecial(_ path: StorePath) {
        let readable = readable(StorePath.root.appending(path.text), in: [tree])
        for watch in watches.latestFirst(at: path) where mayHear(watch, readable) {
            if let event = event(watch, path) { effects.append(event) }
        }
    }

    /// By which permissions one may hear of a node: its own, or those of the one above it, in any
    /// of the trees. Nobody hears of the root.
    private func readable(_ path: StorePath, in trees: [Tree]) -> [Permissions] {
        guard !path.isRoot else { return [] }
        let node = path.isSpecial ? StorePath.root.appending(path.text) : path
        return trees.flatMap { tree -> [Permissions] in
            guard let parent = tree.node(at: node.parent) else { return [] }
            return [parent.permissions] + (tree.node(at: node).map { [$0.permissions] } ?? [])
        }
    }

    private func mayHear(_ watch: Watch, _ readable: [Permissions]) -> Bool {
        readable.contains { oxenstoredAccess(of: watch.connection, $0).contains(.read) }
    }
}
