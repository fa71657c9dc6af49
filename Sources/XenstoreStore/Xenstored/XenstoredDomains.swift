public import XenstoreProtocol

/// INTRODUCE, RELEASE, RESUME, SET_TARGET, RESTRICT and IS_DOMAIN_INTRODUCED.
extension Store {
    func isIntroduced(_ domain: DomainID) -> Bool {
        domain == .myself || domains[domain].isIntroduced
    }

    /// Makes a domain count as introduced, as INTRODUCE does. No event tells of it: for the domains
    /// that are there before any client.
    public func introduce(_ domain: DomainID) {
        domains[domain].isIntroduced = true
        noteDomain(domain)
    }

    /// Introduces a domain, or connects it anew: then its connections begin from the start.
    func introduce(_ domain: DomainID, eventChannel: UInt32) throws(StoreErrorCode) {
        guard eventChannel > 0 else { throw .invalid }
        guard domain != .privileged else { return }
        if !domains[domain].isIntroduced {
            domains[domain].isIntroduced = true
            noteDomain(domain)
            notifySpecial(.introduceDomain, domain: domain)
        }
        for connection in connections(of: domain) { endWatchesAndTransactions(of: connection) }
    }

    /// Releases a domain: ends its connections, removes what it owns with all below, and takes it
    /// out of the permissions of the rest, lest a later domain of the same number inherit them.
    func release(_ domain: DomainID) throws(StoreErrorCode) {
        try checkReleasable(domain)
        for connection in connections(of: domain) {
            disconnect(connection.id)
            effects.append(.close(connection.id))
        }
        domains.remove(domain)
        let caller = Caller(connection: storeConnection, transaction: nil)
        for path in tree.highestPaths(ownedBy: domain) {
            guard let node = tree.node(at: path) else { continue }
            do throws(StoreErrorCode) {
                try removeTree(node, path, caller)
            } catch {
                preconditionFailure("a removal outside transactions cannot fail: \(error)")
            }
        }
        tree.removeEntries(of: domain)
        note(.forgotten(domain))
        notifySpecial(.releaseDomain, domain: domain)
    }

    /// Takes note that a suspended domain runs again. A store without a hypervisor does not see
    /// domains stop, so nothing else follows.
    func resume(_ domain: DomainID) throws(StoreErrorCode) {
        try checkReleasable(domain)
    }

    func setTarget(_ domain: DomainID, _ target: DomainID) throws(StoreErrorCode) {
        guard domains[domain].isIntroduced, domains[target].isIntroduced else { throw .noEntry }
        domains[domain].target = target
        noteDomain(domain)
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
        guard domains[domain].isIntroduced else { throw .noEntry }
    }

    func connections(of domain: DomainID) -> [Connection] {
        connections.values
            .filter { $0.domain == domain }
            .sorted { $0.id.rawValue < $1.id.rawValue }
    }

    /// Stands for the store itself where it does what otherwise a client asks for.
    private var storeConnection: Connection {
        Connection(id: ConnectionID(rawValue: 0), domain: .privileged)
    }
}

/// GET_FEATURE and SET_FEATURE.
extension Store {
    func availableFeatures(of domain: DomainID) -> UInt32 {
        domains[domain].features ?? ServerFeature.all
    }

    func features(of domain: DomainID?, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        guard domain == nil || caller.isPrivileged else { throw .accessDenied }
        return Self.text(String(availableFeatures(of: domain ?? caller.domain)))
    }

    /// Sets what a domain that is yet to be introduced may use.
    func setFeatures(_ features: UInt32, of domain: DomainID) throws(StoreErrorCode) {
        guard !domains[domain].isIntroduced else { throw .busy }
        guard features & ~ServerFeature.all == 0 else { throw .invalid }
        domains[domain].features = features
        noteDomain(domain)
    }
}
