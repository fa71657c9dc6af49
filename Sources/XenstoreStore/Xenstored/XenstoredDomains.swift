import XenstoreProtocol

/// INTRODUCE, RELEASE, RESUME, SET_TARGET and RESTRICT.
final class XenstoredDomains {
    private let nodes: NodeStore
    private let watches: WatchTable
    private let accounts: DomainAccounts
    private let connections: ConnectionTable
    private let journal: Journal
    private let outbox: Outbox
    private let writing: XenstoredWriting
    private let events: XenstoredEvents

    init(_ state: StoreState, _ writing: XenstoredWriting, _ events: XenstoredEvents) {
        nodes = state.nodes
        watches = state.watches
        accounts = state.accounts
        connections = state.connections
        journal = state.journal
        outbox = state.outbox
        self.writing = writing
        self.events = events
    }

    /// Introduces a domain, or connects it once more: then its connections begin from the start.
    func introduce(_ domain: DomainID, eventChannel: UInt32) throws(StoreErrorCode) {
        guard eventChannel > 0 else { throw .invalid }
        guard domain != .privileged else { return }
        if !accounts[domain].isIntroduced {
            accounts.introduce(domain)
            events.notifySpecial(.introduceDomain, domain: domain)
        }
        for connection in connections.all(of: domain) {
            connections.endWatchesAndTransactions(of: connection)
        }
    }

    /// Releases a domain: ends its connections, removes what it owns with all below, and takes it
    /// out of the permissions of the rest, lest a later domain of the same number inherit them.
    func release(_ domain: DomainID) throws(StoreErrorCode) {
        try checkReleasable(domain)
        for connection in connections.all(of: domain) {
            connections.end(connection.id)
            outbox.close(connection.id)
        }
        accounts.remove(domain)
        let caller = Caller(connection: storeConnection, transaction: nil)
        for path in nodes.tree.highestPaths(ownedBy: domain) {
            guard let node = nodes.tree.node(at: path) else { continue }
            do throws(StoreErrorCode) {
                try writing.removeTree(node, path, caller)
            } catch {
                preconditionFailure("a removal outside transactions cannot fail: \(error)")
            }
        }
        nodes.removeEntries(of: domain)
        journal.note(.forgotten(domain))
        events.notifySpecial(.releaseDomain, domain: domain)
    }

    /// Takes note that a suspended domain runs again. A store without a hypervisor does not see
    /// domains stop, so nothing else follows.
    func resume(_ domain: DomainID) throws(StoreErrorCode) {
        try checkReleasable(domain)
    }

    func setTarget(_ domain: DomainID, _ target: DomainID) throws(StoreErrorCode) {
        guard accounts[domain].isIntroduced, accounts[target].isIntroduced else { throw .noEntry }
        accounts.setTarget(target, of: domain)
    }

    /// Gives the connection the rights of a domain for good. What it has open would outlive its
    /// rights, so it must have nothing open.
    func restrict(to domain: DomainID, _ caller: Caller) throws(StoreErrorCode) {
        let connection = caller.connection
        guard connection.transactions.isEmpty, !watches.hasAny(of: connection.id) else {
            throw .busy
        }
        connection.restrict(to: domain)
    }

    private func checkReleasable(_ domain: DomainID) throws(StoreErrorCode) {
        guard domain != .privileged else { throw .invalid }
        guard accounts[domain].isIntroduced else { throw .noEntry }
    }

    /// Stands for the store itself where it does what otherwise a client asks for.
    private var storeConnection: Connection {
        Connection(id: ConnectionID(rawValue: 0), domain: .privileged)
    }
}
