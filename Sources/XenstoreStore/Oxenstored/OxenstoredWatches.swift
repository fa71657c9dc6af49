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
            transaction.log?.noteEvent(event)
        } else {
            effectsAfterReply += events(of: event, before: before ?? tree, after: tree)
        }
    }

    /// The events of one change.
    func events(of change: ReplayLog.Event, before: Tree, after: Tree) -> [StoreEffect] {
        guard !watches.isEmpty else { return [] }
        let trees = change.trees(before: before, after: after)
        let path = change.path
        let hearing = watches.places(fromRootTo: path).flatMap { $0.watches.reversed() }
        // What decides who may hear of it is looked up once for all of them.
        let readable = hearing.isEmpty ? [] : readable(path, in: trees)
        var effects = hearing.compactMap { watch in
            mayHear(watch.connection, readable) ? event(watch, path) : nil
        }
        guard change.kind == .removed else { return effects }
        for below in WatchedPlaces(below: path, of: watches, in: before).all {
            for watch in below.place.watches.reversed() {
                guard mayHear(watch.connection, below.readable),
                    let event = event(watch, watch.path)
                else { continue }
                effects.append(event)
            }
        }
        return effects
    }

    /// Tells of all changes of a transaction.
    func tellCommit(_ log: ReplayLog, after: Tree) {
        guard !watches.isEmpty else { return }
        var events = CommitEvents(of: .oxenstored) { self.mayHear($0, $1) }
        // Who is below a node that is removed, again and again or with others around it.
        var below =
            log.events.contains { $0.kind == .removed }
            ? WatchedPlaces(below: log.lowestWrite ?? .root, of: watches, in: log.origin)
            : WatchedPlaces()
        // The same path may come again and again.
        var above: [StorePath: [WatchTable.Place]] = [:]
        var last: WatchTable.Place?
        for change in log.events {
            let places = above[change.path] ?? watches.places(fromRootTo: change.path)
            above[change.path] = places
            if last == nil || last !== places.last {
                last = places.last
                events.forgetWatches()
                for place in places { events.hear(place, level: 0, self) }
            }
            if !events.isUnheard {
                let trees = change.trees(before: log.origin, after: after)
                tell(change.path, readable(change.path, in: trees), &events)
            }
            guard change.kind == .removed else { continue }
            for index in below.below(watches.place(of: change.path))
            where !below.all[index].isDeaf {
                let watched = below.all[index]
                last = nil
                events.forgetWatches()
                events.hear(watched.place, level: 0, self)
                if events.isUnheard {
                    below.noteDeaf(index)
                } else {
                    tell(watched.path, watched.readable, &events)
                }
            }
        }
        effects += events.effects
    }

    private func tell(
        _ path: StorePath,
        _ readable: [Permissions],
        _ events: inout CommitEvents
    ) {
        withBytes(of: path.text) { events.tell($0, level: 0, readable, self) }
    }

    /// Tells of a domain that came or went.
    func tellSpecial(_ path: StorePath) {
        let readable = readable(StorePath.root.appending(path.text), in: [tree])
        for watch in watches.latestFirst(at: path) where mayHear(watch.connection, readable) {
            if let event = event(watch, path) { effects.append(event) }
        }
    }

    /// By which permissions one may hear of a node: its own, or those of the one above it, in any
    /// of the trees. Nobody hears of the root.
    private func readable(_ path: StorePath, in trees: [Tree]) -> [Permissions] {
        guard !path.isRoot else { return [] }
        let place = path.isSpecial ? StorePath.root.appending(path.text) : path
        return trees.flatMap { tree -> [Permissions] in
            var (above, node): (Node?, Node?) = (nil, tree.root)
            place.forEachName { name in
                (above, node) = (node, node?.child(named: name))
                return above != nil
            }
            guard let above else { return [] }
            return [above.permissions] + (node.map { [$0.permissions] } ?? [])
        }
    }

    private func mayHear(_ connection: Connection, _ readable: [Permissions]) -> Bool {
        readable.contains { oxenstoredAccess(of: connection, $0).contains(.read) }
    }
}

extension ReplayLog.Event {
    /// The trees that decide who may hear of it.
    fileprivate func trees(before: Tree, after: Tree) -> [Tree] {
        switch kind {
        case .changed: [after]
        case .permissions: [before, after]
        case .removed: [before]
        }
    }
}
