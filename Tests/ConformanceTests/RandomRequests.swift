import TestSupport
import XenstoreProtocol
import XenstoreStore

/// Requests of several clients from a seed: few paths, so that they meet.
struct RandomRequests {
    private struct Open {
        var number: TransactionID
        /// Another change came since it began. C shows a node as it was at the first access, and
        /// ours as it was at the start, so from then on all that is asked of it is its end.
        var isOutdated = false
    }

    private static let names = ["a", "b", "c", "d-1"]
    private static let illegal = ["", "/", "//", "/a/", "/a b", "/a//b", "@x", "/a.", "/d\u{1}"]
    private static let mostTransactions = 3

    private var random: SplitMix64
    private var transactions: [Int: [Open]] = [:]
    private var lastRequest: UInt32 = 0
    private let compatibility: Compatibility

    init(seed: UInt64, for compatibility: Compatibility) {
        random = SplitMix64(seed: seed)
        self.compatibility = compatibility
    }

    mutating func client(of count: Int) -> Int { random.below(count) }

    /// The next request of a client.
    mutating func request(from client: Int, isPrivileged: Bool) -> Message {
        lastRequest &+= 1
        var transaction = TransactionID.none
        if let open = transactions[client]?.randomElement(using: &random),
            random.happens(percent: 60)
        {
            transaction = open.number
            if open.isOutdated || random.happens(percent: 12) {
                let end = random.happens(percent: 80) ? "T" : "F"
                return message(.transactionEnd, end, transaction)
            }
        } else if (transactions[client]?.count ?? 0) < Self.mostTransactions,
            random.happens(percent: 8)
        {
            return message(.transactionStart, "", .none)
        }
        return operation(transaction, isPrivileged: isPrivileged)
    }

    /// Keeps in mind what a request did.
    ///
    /// - Returns: whether the store may have changed.
    mutating func note(_ request: Message, _ reply: Message, of client: Int) -> Bool {
        guard reply.type != .error || request.type == .transactionEnd else { return false }
        switch request.type {
        case .transactionStart:
            guard let number = UInt32(text(reply.payload).dropLast()) else { return false }
            transactions[client, default: []].append(Open(number: TransactionID(number)))
            return false
        case .transactionEnd:
            transactions[client]?.removeAll { $0.number == request.transactionID }
            return true
        case .resetWatches:
            transactions[client] = nil
            return false
        case .write, .makeDirectory, .remove, .setPermissions:
            return request.transactionID == .none
        default:
            return false
        }
    }

    /// The store has changed outside of the transactions that are open. oxenstored's show the store
    /// as it was when they began, as ours do, so they stay comparable.
    mutating func outdateTransactions() {
        guard compatibility == .xenstored else { return }
        for client in transactions.keys {
            guard var open = transactions[client] else { continue }
            for index in open.indices { open[index].isOutdated = true }
            transactions[client] = open
        }
    }

    func text(_ message: Message) -> String {
        let type = message.type.map { "\($0)" } ?? "\(message.rawType)"
        return "\(type) \(message.requestID.rawValue) in \(message.transactionID.rawValue): "
            + text(message.payload)
    }

    private func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.map { $0 == 0 ? UInt8(ascii: "|") : $0 }, as: UTF8.self)
    }

    private mutating func operation(_ id: TransactionID, isPrivileged: Bool) -> Message {
        let path = path(isPrivileged)
        switch random.below(100) {
        case 0..<14: return message(.read, path + "|", id)
        case 14..<38: return message(.write, path + "|" + value(), id)
        case 38..<46: return message(.makeDirectory, path + "|", id)
        case 46..<56: return message(.remove, path + "|", id)
        case 56..<66: return message(.directory, path + "|", id)
        case 66..<71: return message(.getPermissions, path + "|", id)
        // C does not answer at all where an unknown special path gets permissions.
        case 71..<80 where !path.hasPrefix("@"):
            return message(.setPermissions, path + "|" + permissions(isPrivileged), id)
        case 80..<88: return message(.watch, path + "|" + token() + "|", id)
        case 88..<95: return message(.unwatch, path + "|" + token() + "|", id)
        case 95: return message(.resetWatches, "|", .none)
        // No READ without its NUL: C answers that with an error of before, or not at all.
        // oxenstored cannot carry these out again, and whether it then says EAGAIN or EINVAL
        // depends on the time that has passed.
        case 96...97 where compatibility == .oxenstored: return message(.read, path + "|", id)
        case 96...97: return message(.transactionStart, "|", id)
        case 98:
            return message(.transactionEnd, "X|", compatibility == .oxenstored ? .none : id)
        default:
            let unknown = Message(
                rawType: UInt32(random.below(40) + 27),
                requestID: RequestID(lastRequest),
                payload: [0]
            )
            return unknown
        }
    }

    private func message(_ type: MessageType, _ text: String, _ id: TransactionID) -> Message {
        let payload = text.isEmpty ? "|" : text
        let isEnd = type == .transactionEnd && !payload.hasSuffix("|")
        return Message(
            type,
            requestID: RequestID(lastRequest),
            transactionID: id,
            payload: (payload + (isEnd ? "|" : "")).utf8.map { $0 == UInt8(ascii: "|") ? 0 : $0 }
        )
    }

    private mutating func path(_ isPrivileged: Bool) -> String {
        if random.happens(percent: 2) { return random.pick(Self.illegal) }
        let depth = random.below(4)
        let below = (0..<depth).map { _ in random.pick(Self.names) }
        switch random.below(10) {
        case 0: return (["x"] + below).joined(separator: "/")
        case 1: return (["/local/domain/5"] + below).joined(separator: "/")
        case 2: return (["/local/domain/0/x"] + below).joined(separator: "/")
        default: return (["/d"] + below).joined(separator: "/")
        }
    }

    private mutating func value() -> String { random.happens(percent: 20) ? "" : "v\(lastRequest)" }

    private mutating func token() -> String { random.pick(["t", "u", ""]) }

    private mutating func permissions(_ isPrivileged: Bool) -> String {
        let owner = isPrivileged && random.happens(percent: 50) ? 0 : random.pick([0, 5, 5, 5])
        let first = random.pick(["n", "n", "r", "w", "b"]) + "\(owner)|"
        let rest = (0..<random.below(3)).map { _ in
            random.pick(["n", "r", "w", "b"]) + "\(random.pick([1, 2, 5]))|"
        }
        return first + rest.joined()
    }
}
