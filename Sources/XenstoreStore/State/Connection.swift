import XenstoreProtocol

/// What the store keeps of one connection.
final class Connection {
    let id: ConnectionID
    /// Whose rights it has. RESTRICT changes it.
    var domain: DomainID
    var transactions: [TransactionID: Transaction] = [:]
    /// The request whose events had no room any more; see ``Store/event(_:_:)``.
    var fullSince: UInt64 = 0
    private var lastTransaction: UInt32 = 0

    init(id: ConnectionID, domain: DomainID) {
        self.id = id
        self.domain = domain
    }

    var isPrivileged: Bool { domain == .privileged }

    /// A number that none of the connection's open transactions has.
    func unusedTransactionID() -> TransactionID {
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
