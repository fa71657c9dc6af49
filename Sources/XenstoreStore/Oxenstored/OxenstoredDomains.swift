import XenstoreProtocol

/// INTRODUCE, RELEASE and CONTROL as oxenstored has them.
final class OxenstoredDomains {
    private let access: OxenstoredAccess
    private let nodes: NodeStore
    private let accounts: DomainAccounts
    private let table: WatchTable
    private let connections: ConnectionTable
    private let journal: Journal
    private let outbox: Outbox
    private let watches: OxenstoredWatches
    /// Where the daemon would find the rings of introduced domains.
    private var ringFrames: [DomainID: Int64] = [:]

    init(_ state: StoreState, _ access: OxenstoredAccess, _ watches: OxenstoredWatches) {
        nodes = state.nodes
        accounts = state.accounts
        table = state.watches
        connections = state.connections
        journal = state.journal
        outbox = state.outbox
        self.access = access
        self.watches = watches
    }

    /// Introduces a domain, or takes note of another event channel of one that it has.
    func introduce(
        _ domain: DomainID,
        frame: Int64,
        eventChannel: UInt32
    ) throws(StoreErrorCode) {
        guard eventChannel > 0, domain != .privileged else { throw .invalid }
        if accounts[domain].isIntroduced {
            guard ringFrames[domain] ?? frame == frame else { throw .invalid }
            return
        }
        ringFrames[domain] = frame
        accounts.introduce(domain)
        watches.notifySpecial(.introduceDomain)
    }

    /// Releases a domain. The nodes that go with it cause no events.
    func release(_ domain: DomainID) throws(StoreErrorCode) {
        // The daemon says so too, but then it has emptied the store.
        guard domain != .privileged else { throw .noEntry }
        let isKnown = accounts[domain].isIntroduced
        for connection in connections.all(of: domain) {
            connections.end(connection.id)
            outbox.close(connection.id)
        }
        accounts.remove(domain)
        ringFrames[domain] = nil
        for path in nodes.tree.highestPaths(ownedBy: domain) {
            nodes.apply(.remove(path))
        }
        nodes.removeEntries(of: domain)
        journal.note(.forgotten(domain))
        guard isKnown else { throw .invalid }
        watches.notifySpecial(.releaseDomain)
    }

    func setTarget(_ domain: DomainID, _ target: DomainID) throws(StoreErrorCode) {
        guard accounts[domain].isIntroduced else { throw .noEntry }
        accounts.setTarget(target, of: domain)
    }

    /// Runs a command: `quota` or `watches`.
    ///
    /// - Returns: nil for all others, and for those who may not.
    func control(_ payload: [UInt8], _ caller: Caller) -> [UInt8]? {
        guard access.holdsAllRights(caller.connection) else { return nil }
        let words = payload.split(separator: 0, omittingEmptySubsequences: false)
        switch words.first.map({ String(decoding: $0, as: UTF8.self) }) {
        case "quota":
            guard words.count > 1, let domain = DomainID(decimal: words[1]) else { return nil }
            let count = nodes.tree.usage[domain].nodes
            guard count > 0 else { return Reply.text("dom\(domain) quota: not set") }
            return Reply.text("dom\(domain) quota: \(count)/\(accounts.quota(.nodes) ?? 0)")
        case "watches":
            return Reply.text(watchListing)
        default:
            return nil
        }
    }

    private var watchListing: String {
        table.all.sorted { $0.order < $1.order }.map { watch -> String in
            let connection = watch.connection
            let name =
                connection.isPrivileged
                ? "A\(connection.id.rawValue)" : "D\(connection.domain)"
            let path = String(
                decoding: watch.path.text.utf8.dropFirst(watch.prefixLength),
                as: UTF8.self
            )
            return "watch \(name): \(path) \(String(decoding: watch.token, as: UTF8.self))\n"
        }.joined()
    }
}
