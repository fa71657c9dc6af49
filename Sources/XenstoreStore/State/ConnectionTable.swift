import XenstoreProtocol

/// The connections to the store, with the watches and transactions that end with them.
final class ConnectionTable {
    private let watches: WatchTable
    private let accounts: DomainAccounts
    private var connections: [ConnectionID: Connection] = [:]
    private var lastConnection: UInt64 = 0

    init(watches: WatchTable, accounts: DomainAccounts) {
        self.watches = watches
        self.accounts = accounts
    }

    var count: Int { connections.count }

    /// How many transactions are open, on all connections.
    var transactionCount: Int {
        connections.values.reduce(0) { $0 + $1.transactions.count }
    }

    /// Nil for a connection that has ended.
    subscript(id: ConnectionID) -> Connection? { connections[id] }

    /// The connections of a domain, in the order of their beginning.
    func all(of domain: DomainID) -> [Connection] {
        connections.values
            .filter { $0.domain == domain }
            .sorted { $0.id.rawValue < $1.id.rawValue }
    }

    /// Begins a connection with the rights of a domain.
    func begin(as domain: DomainID) -> ConnectionID {
        lastConnection += 1
        let id = ConnectionID(rawValue: lastConnection)
        connections[id] = Connection(id: id, domain: domain)
        return id
    }

    /// Ends a connection, its watches and its transactions. Nothing happens for one that has
    /// ended.
    func end(_ id: ConnectionID) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        endWatchesAndTransactions(of: connection)
    }

    /// Ends the watches and transactions of a connection, and counts them no longer.
    func endWatchesAndTransactions(of connection: Connection) {
        for watch in watches.removeAll(of: connection.id) {
            accounts.countWatch(watch, of: connection.domain, by: -1)
        }
        let count = connection.endTransactions()
        accounts.countTransactions(-count, of: connection.domain)
    }

    /// Opens a transaction for a connection, and counts it.
    ///
    /// - Returns: its number.
    func open(_ transaction: Transaction, for connection: Connection) -> TransactionID {
        let id = connection.open(transaction)
        accounts.countTransactions(1, of: connection.domain)
        return id
    }

    /// Ends a transaction of a connection, and counts it no longer. Its number is dead afterwards,
    /// whatever becomes of what it did.
    func end(_ id: TransactionID, of connection: Connection) {
        connection.end(id)
        accounts.countTransactions(-1, of: connection.domain)
    }
}
