import XenstoreProtocol

/// Keeping what a store holds beyond its process: nodes, permissions, domains and quotas. Watches
/// and transactions end with their connections.
extension Store {
    /// Whether anything has changed since ``takeJournal()``.
    public var hasJournal: Bool { !record.bytes.isEmpty }

    /// What has changed since the last call, as bytes for ``replay(_:)``. Empty unless
    /// ``keepsJournal`` is set.
    ///
    /// All that one message changes is in one record, so whoever keeps records whole keeps
    /// transactions whole.
    public func takeJournal() -> [UInt8] { record.takeAll() }

    /// Makes the changes of a record again. No event tells of it.
    ///
    /// - Throws: ``JournalError`` where the record does not follow from what the store holds; the
    ///   store is of no use then.
    public func replay(_ record: ArraySlice<UInt8>) throws(JournalError) {
        var decoder = JournalDecoder(record)
        while let change = try decoder.next() {
            if case .node(let change) = change, !isPossible(change) { throw JournalError() }
            replay(change)
        }
    }

    /// Becomes a store of the same content as another, without its clients.
    public func become(_ other: Store) {
        tree = other.tree
        clock = other.clock
        domains = other.domains
    }

    /// All that the store holds now, as records which make it again in any other store.
    public func snapshot() -> StoreSnapshot {
        var encoder = JournalEncoder()
        encoder.append(.cleared)
        for (quota, value) in domains.quotas { encoder.append(.quota(quota, value)) }
        for (domain, state) in domains.all { encoder.append(.domain(domain, state)) }
        for path in [StorePath.introduceDomain, .releaseDomain] {
            guard let node = tree.node(at: path) else { continue }
            encoder.append(.node(.setPermissions(path, node.permissions)))
        }
        return StoreSnapshot(encoder, of: tree.root)
    }

    /// Makes the changes of a record again as far as they can be made, where one before it is
    /// missing: nodes above others that are not there are made for the privileged domain alone.
    ///
    /// - Returns: how many changes could not be made.
    public func salvage(_ record: ArraySlice<UInt8>) -> Int {
        var decoder = JournalDecoder(record)
        var lost = 0
        while true {
            do throws(JournalError) {
                guard let change = try decoder.next() else { return lost }
                let made = possible(change)
                for change in made { replay(change) }
                if made.isEmpty { lost += 1 }
            } catch {
                return lost + 1
            }
        }
    }

    /// What can be done of a change.
    private func possible(_ change: JournalEntry) -> [JournalEntry] {
        guard case .node(let change) = change else { return [change] }
        switch change {
        case _ where isPossible(change): return [.node(change)]
        case .create(let path, _, let value, let permissions) where tree.node(at: path) != nil:
            return path.isSpecial
                ? [] : [.node(.setValue(path, value)), .node(.setPermissions(path, permissions))]
        case .create(let path, _, let value, let permissions) where !path.isSpecial:
            return creation(of: path, value) + [.node(.setPermissions(path, permissions))]
        case .setValue(let path, let value) where !path.isSpecial: return creation(of: path, value)
        default: return []
        }
    }

    private func creation(of path: StorePath, _ value: [UInt8]) -> [JournalEntry] {
        let levels = path.depth - tree.deepest(to: path).level
        let permissions = Permissions(owner: .privileged)
        return [.node(.create(path, levels: levels, value: value, permissions: permissions))]
    }

    private func replay(_ change: JournalEntry) {
        switch change {
        case .node(let change): tree.apply(change, clock: &clock)
        case .domain(let domain, let state): domains[domain] = state
        case .forgotten(let domain):
            domains.remove(domain)
            tree.removeEntries(of: domain)
        case .quota(let quota, let value): domains.quotas[quota] = value
        case .cleared:
            tree = Tree(clock: &clock)
            domains = DomainTable(StoreConfiguration())
        }
    }

    /// Notes a change of the store.
    func note(_ change: JournalEntry) {
        if keepsJournal { record.append(change) }
    }

    /// Notes what the store knows of a domain.
    func noteDomain(_ domain: DomainID) { note(.domain(domain, domains[domain])) }

    /// What a tree takes for granted.
    private func isPossible(_ change: Transaction.Change) -> Bool {
        switch change {
        case .create(let path, let levels, _, _):
            !path.isSpecial && tree.deepest(to: path).level == path.depth - levels
        case .setValue(let path, _): !path.isSpecial && tree.node(at: path) != nil
        case .setPermissions(let path, _): tree.node(at: path) != nil
        case .remove(let path):
            !path.isSpecial && !path.isRoot && tree.node(at: path) != nil
        }
    }
}
