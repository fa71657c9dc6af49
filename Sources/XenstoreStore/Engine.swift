import XenstoreProtocol

/// What gives the state of a store its behaviour: one of two daemons.
enum Engine {
    case xenstored(XenstoredEngine)
    case oxenstored(OxenstoredEngine)

    /// Handles a message, and fills in its reply.
    ///
    /// - Throws: what is to be answered instead.
    func answer(
        _ message: Message,
        _ connection: Connection,
        into reply: inout Message
    ) throws(StoreErrorCode) {
        switch self {
        case .xenstored(let engine): try engine.answer(message, connection, into: &reply)
        case .oxenstored(let engine): try engine.answer(message, connection, into: &reply)
        }
    }
}

extension Message {
    /// Whether the transaction that it names does not matter.
    var isOutsideTransactions: Bool { type == .watch || type == .unwatch }
}
