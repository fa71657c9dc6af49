import XenstoreProtocol

/// Keeping what a store holds beyond its process: nodes, permissions, domains and quotas. Watches
/// and transactions end with their connections.
extension Store {
    /// Bytes from which on a snapshot begins another record.
    private static let snapshotRecordSize = 1 << 20

    /// Whether anything has changed since ``takeRecord()``.
    public var hasUnrecordedChanges: Bool { !record.bytes.isEmpty }

    /// What has changed since the last call, as bytes for ``replay(_:)``. Empty unless
    /// ``isRecording`` is set.
    ///
    /// All that one message changes is in one record, so whoever keeps records whole keeps
    /// transactions whole.
    public func takeRecord() -> [UInt8] { record.takeAll() }

    /// Makes the changes of a record again. No event tells of it.
    ///
    /// - Throws: ``RecordError`` where the record does not follow from what the store holds; the
    ///   store is of no use then.
    public func replay(_ record: ArraySlice<UInt8>) throws(RecordError) {
        var decoder = RecordDecoder(record)
        while let change = try decoder.next() {
            switch change {
            case .node(let change):
                guard isPossible(change) else { throw RecordError() }
                tree.apply(change, clock: &clock)
            case .domain(let domain, let state): domains[domain] = state
            case .forgotten(let domain):
                domains.forget(domain)
                tree.removeEntries(of: domain)
            case .quota(let quota, let value): domains.quotas[quota] = value
            case .cleared:
                tree = Tree(clock: &clock)
                domains = DomainTable(StoreConfiguration())
            }
        }
    }

    /// Becomes a store of the same content as another, without its clients.
    public func become(_ other: Store) {
        tree = other.tree
        clock = other.clock
        domains = other.domains
    }

    /// Gives all that the store holds as records, which make it again in any other store.
    public func forEachSnapshotRecord<Failure: Error>(
        _ body: ([UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        var encoder = RecordEncoder()
        encoder.append(.cleared)
        for (quota, value) in domains.quotas { encoder.append(.quota(quota, value)) }
        for (domain, state) in domains.all { encoder.append(.domain(domain, state)) }
        for path in [StorePath.introduceDomain, .releaseDomain] {
            guard let node = tree.node(at: path) else { continue }
            encoder.append(.node(.setPermissions(path, node.permissions)))
        }
        var outcome: Result<Void, Failure> = .success(())
        Tree.forEachPath(in: tree.root, at: .root) { path, node in
            guard case .success = outcome else { return false }
            if path.isRoot {
                encoder.append(.node(.setValue(path, node.value)))
                encoder.append(.node(.setPermissions(path, node.permissions)))
            } else {
                encoder.append(
                    .node(
                        .create(
                            path,
                            levels: 1,
                            value: node.value,
                            permissions: node.permissions
                        )
                    )
                )
            }
            if encoder.bytes.count >= Self.snapshotRecordSize {
                do throws(Failure) {
                    try body(encoder.takeAll())
                } catch {
                    outcome = .failure(error)
                }
            }
            return true
        }
        try outcome.get()
        if !encoder.bytes.isEmpty { try body(encoder.takeAll()) }
    }

    /// Notes a change of the store.
    func note(_ change: RecordedChange) {
        if isRecording { record.append(change) }
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
