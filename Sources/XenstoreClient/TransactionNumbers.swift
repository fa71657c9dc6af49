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
