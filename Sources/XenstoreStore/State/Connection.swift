import XenstoreProtocol

/// What the store keeps of one connection.
final class Connection {
    let id: ConnectionID
    /// Whose rights it has. RESTRICT changes it.
    private(set) var domain: DomainID
    private(set) var transactions: [TransactionID: Transaction] = [:]
    /// The request whose events had no room any more.
    private var fullSince: UInt64 = 0
    private var lastTransaction: UInt32 = 0

    init(id: ConnectionID, domain: DomainID) {
        self.id = id
        self.domain = domain
    }

    var isPrivileged: Bool { domain == .privileged }

    /// Gives it the rights of a domain for good.
    func restrict(to domain: DomainID) { self.domain = domain }

    /// Whether the events that a request causes have no room any more.
    func isFull(in request: UInt64) -> Bool { fullSince == request }

    func noteFull(in request: UInt64) { fullSince = request }

    /// Opens a transaction.
    ///
    /// - Returns: its number.
    func open(_ transaction: Transaction) -> TransactionID {
        let id = unusedTransactionID()
        transactions[id] = transaction
        return id
    }

    /// Ends a transaction, whatever becomes of it.
    func end(_ id: TransactionID) { transactions[id] = nil }

    /// Ends all transactions.
    ///
    /// - Returns: how many there were.
    func endTransactions() -> Int {
        defer { transactions = [:] }
        return transactions.count
    }

    /// Leaves out the next number for a transaction.
    func skipTransactionID() { _ = unusedTransactionID() }

    /// A number that none of the connection's open transactions has.
    private func unusedTransactionID() -> TransactionID {
        repeat {
            lastTransaction &+= 1
        } while lastTransaction == 0 || transactions[TransactionID(lastTransaction)] != nil
        return TransactionID(lastTransaction)
    }
}

/// Who asks: a connection, and the transaction that its request names.
struct Caller {
    let connection: Connection
    let transaction: Transaction?

    var domain: DomainID { connection.domain }
    var isPrivileged: Bool { connection.isPrivileged }
}
