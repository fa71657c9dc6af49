import XenstoreProtocol

/// Transactions as oxenstored has them. One that met changes is merged where nobody has touched
/// what it read and wrote, and else carried out again: it conflicts if any reply is another then.
extension Store {
    /// Nodes that a transaction may make where it is carried out again.
    private static let replayedCreations = 16384

    func startReplayable(_ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        guard caller.transaction == nil else { throw .busy }
        // It allows one more than the quota says.
        if let limit = domains.limit(.transactions, of: caller.domain),
            caller.connection.transactions.count > limit
        {
            throw .quota
        }
        let id = caller.connection.open(replayable())
        domains[caller.domain].transactions += 1
        return Self.text(String(id.rawValue))
    }

    /// Ends a transaction; what is neither `T` nor `F` leaves it alive.
    func endReplayable(_ message: Message, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        let isCommit: Bool
        switch Array(message.payload.prefix { $0 != 0 }) {
        case [UInt8(ascii: "T")]: isCommit = true
        case [UInt8(ascii: "F")]: isCommit = false
        default: throw .invalid
        }
        guard let transaction = caller.transaction, let log = transaction.log else {
            throw .noEntry
        }
        caller.connection.end(message.transactionID)
        domains[caller.domain].transactions -= 1
        if isCommit, !log.events.isEmpty {
            try commit(transaction, log, caller)
            tellCommit(log, after: transaction.tree)
        }
        return Self.okay
    }

    private func replayable() -> Transaction {
        Transaction(tree: tree, log: ReplayLog(origin: tree))
    }

    private func commit(
        _ transaction: Transaction,
        _ log: ReplayLog,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        if tree.changeCount == transaction.start {
            takeOver(transaction, isUnchanged: true)
        } else if let written = log.lowestWrite, canMerge(log, written) {
            takeOver(transaction, isUnchanged: false)
            tree.touch(written)
        } else {
            takeOver(try replay(log, caller), isUnchanged: true)
        }
    }

    /// Whether nobody has touched what a transaction read and wrote. A reading that was refused is
    /// forgotten here.
    private func canMerge(_ log: ReplayLog, _ written: StorePath) -> Bool {
        guard let old = log.origin.node(at: written), old === tree.node(at: written),
            hasOldPermissions(log.origin, downTo: written)
        else { return false }
        guard let read = log.lowestRead else { return true }
        guard let node = tree.node(at: read) else {
            return log.origin.node(at: read) == nil && log.origin.node(at: read.parent) != nil
                && tree.node(at: read.parent) != nil
        }
        return node === log.origin.node(at: read) && hasOldPermissions(log.origin, downTo: read)
    }

    private func hasOldPermissions(_ origin: Tree, downTo path: StorePath) -> Bool {
        var nodes: (Node?, Node?) = (tree.root, origin.root)
        func areAlike() -> Bool { nodes.0?.permissions == nodes.1?.permissions }
        guard areAlike() else { return false }
        for name in path.names {
            nodes = withBytes(of: name) { name in
                (nodes.0?.child(named: name), nodes.1?.child(named: name))
            }
            guard areAlike() else { return false }
        }
        return true
    }

    private func replay(_ log: ReplayLog, _ caller: Caller) throws(StoreErrorCode) -> Transaction {
        // It takes a number for this, which clients see missing.
        caller.connection.skipTransactionID()
        let again = replayable()
        let caller = Caller(connection: caller.connection, transaction: again)
        for (request, reply) in log.operations {
            // Like any conflict: one request is not to keep all others waiting.
            guard again.footprint.creations < Self.replayedCreations else { throw .again }
            guard request.type?.canBeReplayed == true, result(of: request, caller) == reply else {
                throw .again
            }
        }
        return again
    }
}
