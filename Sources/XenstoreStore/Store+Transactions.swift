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
        let id = caller.connection.unusedTransactionID()
        caller.connection.transactions[id] = Transaction(tree: tree)
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
        caller.connection.transactions[id] = nil
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
        let isUnchanged = tree.changeCount == transaction.start
        guard isUnchanged || transaction.isValid(in: tree) else { throw .again }
        guard !transaction.changes.isEmpty else { return }
        if let limit = domains.limit(.nodes, of: caller.domain) {
            // Others may have given nodes to the domain meanwhile.
            let growth = transaction.tree.usage[caller.domain].nodes
            guard growth <= 0 || tree.usage[caller.domain].nodes + growth <= limit else {
                throw .noSpace
            }
        }
        if isUnchanged {
            tree.adopt(transaction.tree)
        } else {
            for change in transaction.changes { tree.apply(change, clock: &clock) }
        }
        for change in transaction.changes { note(.node(change)) }
        for (index, accessed) in transaction.accessed.enumerated() {
            guard let scope = accessed.event else { continue }
            // The C daemon writes and tells node by node, so a parent that comes later still has
            // its permissions of before.
            let parent = transaction.accessed(accessed.path.parent, after: index)
            notify(
                accessed.path,
                scope,
                oldPermissions: accessed.permissions,
                parentPermissions: parent.map(\.permissions)
                    ?? tree.node(at: accessed.path.parent)?.permissions
            )
        }
    }
}
