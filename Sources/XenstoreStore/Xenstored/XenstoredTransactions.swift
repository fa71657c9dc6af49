import XenstoreProtocol

/// TRANSACTION_START and TRANSACTION_END.
final class XenstoredTransactions {
    private let nodes: NodeStore
    private let accounts: DomainAccounts
    private let connections: ConnectionTable
    private let events: XenstoredEvents

    init(_ state: StoreState, _ events: XenstoredEvents) {
        nodes = state.nodes
        accounts = state.accounts
        connections = state.connections
        self.events = events
    }

    func start(_ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        guard caller.transaction == nil else { throw .busy }
        // Both daemons allow one more than the quota says.
        if let limit = accounts.limit(.transactions, of: caller.domain),
            accounts[caller.domain].transactions > limit
        {
            throw .noSpace
        }
        let id = connections.open(Transaction(tree: nodes.tree), for: caller.connection)
        return Reply.text(String(id.rawValue))
    }

    /// Ends a transaction. Its number is dead afterwards, however this ends.
    func end(
        _ id: TransactionID,
        commit: Bool,
        _ caller: Caller
    ) throws(StoreErrorCode) -> [UInt8] {
        guard let transaction = caller.transaction else { throw .noEntry }
        connections.end(id, of: caller.connection)
        if commit { try self.commit(transaction, caller) }
        return Reply.okay
    }

    private func commit(
        _ transaction: Transaction,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        // The C daemon's answer where it lost track of what the transaction looked at.
        guard !transaction.isUnverifiable else { throw .noMemory }
        let footprint = transaction.footprint
        let isUnchanged = nodes.isUnchanged(since: transaction)
        guard isUnchanged || footprint.isValid(in: nodes.tree) else { throw .again }
        guard footprint.hasChanges else { return }
        if let limit = accounts.limit(.nodes, of: caller.domain) {
            // Others may have given nodes to the domain meanwhile.
            let growth = transaction.tree.usage[caller.domain].nodes
            guard growth <= 0 || nodes.tree.usage[caller.domain].nodes + growth <= limit else {
                throw .noSpace
            }
        }
        nodes.takeOver(transaction, isUnchanged: isUnchanged)
        events.notifyCommit(of: footprint)
    }
}
