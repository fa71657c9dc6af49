import XenstoreProtocol

/// Transactions as oxenstored has them. One that met changes is merged where nobody has touched
/// what it read and wrote, and else carried out again: it conflicts if any reply is another then.
final class OxenstoredTransactions {
    private let nodes: NodeStore
    private let accounts: DomainAccounts
    private let connections: ConnectionTable
    private let watches: OxenstoredWatches

    init(_ state: StoreState, _ watches: OxenstoredWatches) {
        nodes = state.nodes
        accounts = state.accounts
        connections = state.connections
        self.watches = watches
    }

    /// Nodes that a transaction may make where it is carried out again.
    private static let replayedCreations = 16384

    func start(_ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        guard caller.transaction == nil else { throw .busy }
        // It allows one more than the quota says.
        if let limit = accounts.limit(.transactions, of: caller.domain),
            caller.connection.transactions.count > limit
        {
            throw .quota
        }
        let id = connections.open(replayable(), for: caller.connection)
        return Reply.text(String(id.rawValue))
    }

    /// Ends a transaction; what is neither `T` nor `F` leaves it alive.
    ///
    /// - Parameter carryOut: carries a request out in a transaction.
    func end(
        _ message: Message,
        _ caller: Caller,
        carryOut: (Message, Caller) -> Result<[UInt8], StoreErrorCode>
    ) throws(StoreErrorCode) -> [UInt8] {
        let isCommit: Bool
        switch Array(message.payload.prefix { $0 != 0 }) {
        case [UInt8(ascii: "T")]: isCommit = true
        case [UInt8(ascii: "F")]: isCommit = false
        default: throw .invalid
        }
        guard let transaction = caller.transaction, let log = transaction.log else {
            throw .noEntry
        }
        connections.end(message.transactionID, of: caller.connection)
        if isCommit, !log.events.isEmpty {
            try commit(transaction, log, caller, carryOut)
            watches.notifyCommit(log, after: transaction.tree)
        }
        return Reply.okay
    }

    private func replayable() -> Transaction {
        Transaction(tree: nodes.tree, log: ReplayLog(origin: nodes.tree))
    }

    private func commit(
        _ transaction: Transaction,
        _ log: ReplayLog,
        _ caller: Caller,
        _ carryOut: (Message, Caller) -> Result<[UInt8], StoreErrorCode>
    ) throws(StoreErrorCode) {
        if nodes.isUnchanged(since: transaction) {
            nodes.takeOver(transaction, isUnchanged: true)
        } else if let written = log.lowestWrite, canMerge(log, written) {
            nodes.takeOver(transaction, isUnchanged: false)
            nodes.touch(written)
        } else {
            nodes.takeOver(try replay(log, caller, carryOut), isUnchanged: true)
        }
    }

    /// Whether nobody has touched what a transaction read and wrote. A reading that was refused is
    /// forgotten here.
    private func canMerge(_ log: ReplayLog, _ written: StorePath) -> Bool {
        guard let old = log.origin.node(at: written), old === nodes.tree.node(at: written),
            hasOldPermissions(log.origin, downTo: written)
        else { return false }
        guard let read = log.lowestRead else { return true }
        guard let node = nodes.tree.node(at: read) else {
            return log.origin.node(at: read) == nil && log.origin.node(at: read.parent) != nil
                && nodes.tree.node(at: read.parent) != nil
        }
        return node === log.origin.node(at: read) && hasOldPermissions(log.origin, downTo: read)
    }

    private func hasOldPermissions(_ origin: Tree, downTo path: StorePath) -> Bool {
        var nodes: (Node?, Node?) = (nodes.tree.root, origin.root)
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

    private func replay(
        _ log: ReplayLog,
        _ caller: Caller,
        _ carryOut: (Message, Caller) -> Result<[UInt8], StoreErrorCode>
    ) throws(StoreErrorCode) -> Transaction {
        // It takes a number for this, which clients see missing.
        caller.connection.skipTransactionID()
        let again = replayable()
        let caller = Caller(connection: caller.connection, transaction: again)
        for (request, reply) in log.operations {
            // Like any conflict: one request is not to keep all others waiting.
            guard again.footprint.creations < Self.replayedCreations else { throw .again }
            guard request.type?.canBeReplayed == true, carryOut(request, caller) == reply else {
                throw .again
            }
        }
        return again
    }
}

extension MessageType {
    /// Whether a transaction that holds such a request can be carried out again.
    fileprivate var canBeReplayed: Bool {
        switch self {
        case .directory, .read, .getPermissions, .getDomainPath, .write, .makeDirectory, .remove,
            .setPermissions:
            true
        default: false
        }
    }
}
