import XenstoreProtocol

/// Numbers the transactions of a connection, its later lives included.
///
/// A store begins again at 1 for each connection. So its numbers cannot tell a transaction of an
/// earlier life from one that is open now; ours can.
final class TransactionNumbers {
    private var last: UInt32 = 0

    /// A number that no open transaction has: they come again after four thousand million.
    func next() -> TransactionID {
        last = last == .max ? 1 : last + 1
        return TransactionID(last)
    }
}

/// The transactions that are open in one life of a connection: the store's number of each, by ours.
struct TransactionTable {
    private let numbers: TransactionNumbers
    private var storeNumbers: [TransactionID: TransactionID] = [:]

    init(_ numbers: TransactionNumbers) { self.numbers = numbers }

    /// Takes a transaction that the store has begun. One that had its number is lost: after a live
    /// update that was forced C xenstored counts from 1 again, on the same connection.
    ///
    /// - Returns: our number of it.
    mutating func began(_ storeNumber: TransactionID) -> TransactionID {
        storeNumbers = storeNumbers.filter { $0.value != storeNumber }
        let number = numbers.next()
        storeNumbers[number] = storeNumber
        return number
    }

    /// The store's number. A transaction belongs to the connection that it was begun on: an older
    /// one, whose number the store may have given to another since, is lost.
    func storeNumber(of transaction: TransactionID) throws(XenstoreError) -> TransactionID {
        guard transaction != .none else { return .none }
        guard let number = storeNumbers[transaction] else { throw .refused(.again) }
        return number
    }

    mutating func ended(_ transaction: TransactionID) { storeNumbers[transaction] = nil }

    /// Forgets all: the store has ended them, or the connection is lost.
    mutating func removeAll() { storeNumbers = [:] }
}
