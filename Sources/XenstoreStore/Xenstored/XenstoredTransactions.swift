import XenstoreProtocol

/// TRANSACTION_START and TRANSACTION_END.
extension Store {
    func startTransaction(_ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        guard caller.transaction == nil else { throw .busy }
        // Both daemons allow one more than the quota says.
        if let limit = domains.limit(.transactions, of: caller.domain),
            domains[caller.domain].transactions > limit
        {
            throw .noSpace
        }
        let id = caller.connection.open(Transaction(tree: tree))
        domains[caller.domain].transactions += 1
        return Self.text(String(id.rawValue))
    }

    /// Ends a transaction. Its number is dead afterwards, however this ends.
    func endTransaction(
        _ id: TransactionID,
        commit: Bool,
        _ caller: Caller
    ) throws(StoreErrorCode) -> [UInt8] {
        guard let transaction = caller.transaction else { throw .noEntry }
        caller.connection.end(id)
        domains[caller.domain].transactions -= 1
        if commit {
            try self.commit(transaction, caller)
        }
        return Self.okay
    }

    private func commit(
        _ transaction: Transaction,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        // The C daemon's answer where it lost track of what the transaction looked at.
        guard !transaction.isUnverifiable else { throw .noMemory }
        let footprint = transaction.footprint
        let isUnchanged = tree.changeCount == transaction.start
        guard isUnchanged || footprint.isValid(in: tree) else { throw .again }
        guard footprint.hasChanges else { return }
        if let limit = domains.limit(.nodes, of: caller.domain) {
            // Others may have given nodes to the domain meanwhile.
            let growth = transaction.tree.usage[caller.domain].nodes
            guard growth <= 0 || tree.usage[caller.domain].nodes + growth <= limit else {
                throw .noSpace
            }
        }
        takeOver(transaction, isUnchanged: isUnchanged)
        notifyCommit(of: footprint)
    }

    /// Makes the changes of a transaction those of the store.
    func takeOver(_ transaction: Transaction, isUnchanged: Bool) {
        let footprint = transaction.footprint
        guard keepsJournal || !isUnchanged else { return tree.adopt(transaction.tree) }
        let new = footprint.nodes(in: transaction.tree)
        let outcome = noteOutcome(of: footprint, from: footprint.nodes(in: tree), to: new)
        if isUnchanged {
            tree.adopt(transaction.tree)
        } else {
            tree.merge(outcome, of: footprint, new, clock: &clock)
        }
    }

    /// Finds out what leads from one tree to another, and notes it.
    private func noteOutcome(
        of footprint: Footprint,
        from old: [Node?],
        to new: [Node?]
    ) -> Footprint.Outcome {
        let outcome = footprint.outcome(from: old, to: new)
        guard keepsJournal else { return outcome }
        for place in outcome.removed { note(.node(.remove(footprint.path(of: place)))) }
        noteCreations(outcome.created, of: footprint, new)
        var bytes = FootprintPath(footprint)
        for place in outcome.kept {
            guard let was = old[place], let node = new[place] else { continue }
            bytes.move(to: place, in: footprint)
            let path = StorePath(text: String(decoding: bytes.bytes, as: UTF8.self))
            if was.value != node.value { note(.node(.setValue(path, node.value))) }
            if was.permissions != node.permissions {
                note(.node(.setPermissions(path, node.permissions)))
            }
        }
        return outcome
    }

    /// Notes nodes that come, most of them by their names alone.
    private func noteCreations(_ created: [Int], of footprint: Footprint, _ new: [Node?]) {
        let lengths = footprint.pathLengths
        var last: Int?
        for place in created {
            guard let node = new[place] else { continue }
            let parent = footprint.places[place].parent
            if let last, footprint.isNear(parent, above: last) {
                record.appendCreation(
                    of: footprint.places[place].name,
                    below: lengths[parent],
                    value: node.value,
                    permissions: node.permissions
                )
            } else {
                let path = footprint.path(of: place)
                let permissions = node.permissions
                note(
                    .node(
                        .create(path, levels: 1, value: node.value, permissions: permissions)
                    )
                )
            }
            last = place
        }
    }

    /// Tells the watches of what a transaction has changed, in the order in which it first looked
    /// at each node.
    private func notifyCommit(of footprint: Footprint) {
        guard !watches.isEmpty else { return }
        let nodes = footprint.nodes(in: tree)
        var trail = watches.trail(along: footprint)
        var path = FootprintPath(footprint)
        var events = CommitEvents(of: .xenstored) { connection, readable in
            connection.isPrivileged
                ? !readable.isEmpty
                : readable.contains { self.access(of: connection, $0).contains(.read) }
        }
        for (order, place) in footprint.accessed.enumerated() {
            guard let scope = footprint.places[place].event else { continue }
            trail.hear(of: place, scope, &events, self)
            guard !events.isUnheard else { continue }
            var readable = footprint.places[place].permissions.map { [$0] } ?? []
            if let node = nodes[place] {
                readable.append(node.permissions)
                let above = max(footprint.places[place].parent, Footprint.root)
                // The C daemon writes and tells node by node, so a parent that comes later still
                // has its permissions of before.
                let parent =
                    footprint.places[above].order > order
                    ? footprint.places[above].permissions : nodes[above]?.permissions
                if let parent { readable.append(parent) }
            }
            path.move(to: place, in: footprint)
            path.bytes.withUnsafeBufferPointer { path in
                events.tell(path, level: trail.level(of: place), readable, self)
            }
        }
        effects += events.effects
    }
}
