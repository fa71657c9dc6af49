import XenstoreProtocol

/// WATCH and UNWATCH.
final class XenstoredWatches {
    private let access: XenstoredAccess
    private let watches: WatchTable
    private let accounts: DomainAccounts
    private let outbox: Outbox

    init(_ state: StoreState, _ access: XenstoredAccess) {
        watches = state.watches
        accounts = state.accounts
        outbox = state.outbox
        self.access = access
    }

    func watch(
        _ path: XenstorePath,
        token: [UInt8],
        depth: UInt32?,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        if depth != nil {
            guard accounts.features(of: caller.domain) & ServerFeature.watchDepth != 0 else {
                throw .invalid
            }
        }
        let resolved = try access.resolve(path, caller, allowsSpecial: true)
        let id = caller.connection.id
        guard !watches.contains(id, resolved, token) else { throw .exists }
        let watch = Watch(
            connection: caller.connection,
            path: resolved,
            given: path,
            token: token,
            depth: depth,
            order: watches.nextOrder()
        )
        try checkWatchQuotas(watch, caller)
        watches.add(watch)
        accounts.countWatch(watch, of: caller.domain, by: 1)
        outbox.sendAfterReply(watch, resolved)
    }

    func unwatch(
        _ path: XenstorePath,
        token: [UInt8],
        _ caller: Caller
    ) throws(StoreErrorCode) {
        let resolved = try access.resolve(path, caller, allowsSpecial: true)
        guard let watch = watches.remove(caller.connection.id, resolved, token) else {
            throw .noEntry
        }
        accounts.countWatch(watch, of: caller.domain, by: -1)
    }

    private func checkWatchQuotas(_ watch: Watch, _ caller: Caller) throws(StoreErrorCode) {
        // Both daemons allow one more than the quota says.
        if let limit = accounts.limit(.watches, of: caller.domain),
            accounts[caller.domain].watches > limit
        {
            throw .tooBig
        }
        if let limit = accounts.limit(.memory, of: caller.domain),
            accounts.memory(of: caller.domain) + watch.size > limit
        {
            throw .noMemory
        }
    }
}
