import XenstoreProtocol

/// INTRODUCE, RELEASE and CONTROL as oxenstored has them.
extension Store {
    /// Introduces a domain, or takes note of another event channel of one that it has.
    func oxenstoredIntroduce(
        _ domain: DomainID,
        frame: Int64,
        eventChannel: UInt32
    ) throws(StoreErrorCode) {
        guard eventChannel > 0, domain != .privileged else { throw .invalid }
        if domains[domain].isIntroduced {
            guard ringFrames[domain] ?? frame == frame else { throw .invalid }
            return
        }
        ringFrames[domain] = frame
        domains[domain].isIntroduced = true
        noteDomain(domain)
        tellSpecial(.introduceDomain)
    }

    /// Releases a domain. No event tells of the nodes that go with it.
    func oxenstoredRelease(_ domain: DomainID) throws(StoreErrorCode) {
        // The daemon says so too, but then it has emptied the store.
        guard domain != .privileged else { throw .noEntry }
        let isKnown = domains[domain].isIntroduced
        for connection in connections(of: domain) {
            disconnect(connection.id)
            effects.append(.close(connection.id))
        }
        domains.remove(domain)
        ringFrames[domain] = nil
        for path in tree.highestPaths(ownedBy: domain) {
            tree.remove(path, clock: &clock)
            note(.node(.remove(path)))
        }
        tree.removeEntries(of: domain)
        note(.forgotten(domain))
        guard isKnown else { throw .invalid }
        tellSpecial(.releaseDomain)
    }

    /// Runs a command: `quota` or `watches`.
    ///
    /// - Returns: nil for all others, and for those who may not.
    func oxenstoredControl(_ payload: [UInt8], _ caller: Caller) -> [UInt8]? {
        guard holdsAllRights(caller.connection) else { return nil }
        let words = payload.split(separator: 0, omittingEmptySubsequences: false)
        switch words.first.map({ String(decoding: $0, as: UTF8.self) }) {
        case "quota":
            guard words.count > 1, let domain = DomainID(decimal: words[1]) else { return nil }
            let count = tree.usage[domain].nodes
            guard count > 0 else { return Self.text("dom\(domain) quota: not set") }
            return Self.text("dom\(domain) quota: \(count)/\(domains.quotas[.nodes] ?? 0)")
        case "watches":
            return Self.text(watchListing)
        default:
            return nil
        }
    }

    private var watchListing: String {
        watches.all.sorted { $0.order < $1.order }.map { watch -> String in
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
