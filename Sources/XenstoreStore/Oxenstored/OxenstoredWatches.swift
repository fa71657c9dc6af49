import XenstoreProtocol

/// Watches as oxenstored has them: the events of a change follow its reply, from the root's watches
/// down, none is left out, and the watches below a node that goes hear of it, whether their own
/// nodes existed or not.
final class OxenstoredWatches {
    private let access: OxenstoredAccess
    private let nodes: NodeStore
    private let watches: WatchTable
    private let accounts: DomainAccounts
    private let outbox: Outbox

    init(_ state: StoreState, _ access: OxenstoredAccess) {
        nodes = state.nodes
        watches = state.watches
        accounts = state.accounts
        outbox = state.outbox
        self.access = access
    }

    func watch(
        _ path: XenstorePath,
        token: [UInt8],
        _ caller: Caller
    ) throws(StoreErrorCode) {
        if let limit = accounts.limit(.watches, of: caller.domain),
            accounts[caller.domain].watches > limit
        {
            throw .quota
        }
        let resolved = StorePath(path, from: caller.domain)
        let id = caller.connection.id
        guard !watches.contains(id, resolved, token) else { throw .exists }
        let watch = Watch(
            connection: caller.connection,
            path: resolved,
            given: path,
            token: token,
            depth: nil,
            order: watches.nextOrder()
        )
        watches.add(watch)
        accounts.countWatch(watch, of: caller.domain, by: 1)
        outbox.sendAfterReply(watch, resolved)
    }

    func unwatch(
        _ path: XenstorePath,
        token: [UInt8],
        _ caller: Caller
    ) throws(StoreErrorCode) {
        let resolved = StorePath(path, from: caller.domain)
        guard let watch = watches.remove(caller.connection.id, resolved, token) else {
            throw .noEntry
        }
        accounts.countWatch(watch, of: caller.domain, by: -1)
    }

    /// Sends the events of a change of the caller's tree, after the reply, or when its transaction
    /// ends.
    ///
    /// - Parameter before: the tree before the change, where that decides who may hear of it.
    func notify(
        _ kind: ReplayLog.Event.Kind,
        _ path: StorePath,
        before: Tree?,
        _ caller: Caller
    ) {
        let event = ReplayLog.Event(kind: kind, path: path)
        if let transaction = caller.transaction {
            transaction.log?.noteEvent(event)
        } else {
            send(event, before: before ?? nodes.tree, after: nodes.tree)
        }
    }

    /// Sends the events of one change.
    private func send(_ change: ReplayLog.Event, before: Tree, after: Tree) {
        guard !watches.isEmpty else { return }
        let trees = change.trees(before: before, after: after)
        let path = change.path
        let hearing = watches.places(fromRootTo: path).flatMap { $0.watches.reversed() }
        // What decides who may hear of it is looked up once for all of them.
        let readable = hearing.isEmpty ? [] : readable(path, in: trees)
        for watch in hearing where access.mayHear(watch.connection, readable) {
            outbox.sendAfterReply(watch, path)
        }
        guard change.kind == .removed else { return }
        for below in WatchedPlaces(below: path, of: watches, in: before).all {
            for watch in below.place.watches.reversed()
            where access.mayHear(watch.connection, below.readable) {
                outbox.sendAfterReply(watch, watch.path)
            }
        }
    }

    /// Sends the events of all changes of a transaction.
    func notifyCommit(_ log: ReplayLog, after: Tree) {
        guard !watches.isEmpty else { return }
        var events = CommitEvents(.latestFirst, accounts) { self.access.mayHear($0, $1) }
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
                for place in places { events.hear(place, level: 0) }
            }
            if !events.isUnheard {
                let trees = change.trees(before: log.origin, after: after)
                send(change.path, readable(change.path, in: trees), &events)
            }
            guard change.kind == .removed else { continue }
            for index in below.below(watches.place(of: change.path))
            where !below.all[index].isDeaf {
                let watched = below.all[index]
                last = nil
                events.forgetWatches()
                events.hear(watched.place, level: 0)
                if events.isUnheard {
                    below.noteDeaf(index)
                } else {
                    send(watched.path, watched.readable, &events)
                }
            }
        }
        outbox.send(events)
    }

    private func send(
        _ path: StorePath,
        _ readable: [Permissions],
        _ events: inout CommitEvents
    ) {
        withBytes(of: path.text) { events.send($0, level: 0, readable) }
    }

    /// Sends the events of a domain that came or went.
    func notifySpecial(_ path: StorePath) {
        let readable = readable(StorePath.root.appending(path.text), in: [nodes.tree])
        for watch in watches.latestFirst(at: path)
        where access.mayHear(watch.connection, readable) {
            outbox.send(watch, path)
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
