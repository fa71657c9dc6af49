import XenstoreProtocol

/// What oxenstored keeps of a transaction, to merge it at its end or to carry it out again.
final class ReplayLog {
    /// A change that watches are to hear of.
    struct Event {
        enum Kind {
            case changed
            case removed
            case permissions
        }

        let kind: Kind
        let path: StorePath
    }

    /// The store as it was at the start.
    let origin: Tree
    /// All requests with what was answered; errors too.
    private(set) var operations: [(request: Message, reply: Result<[UInt8], StoreErrorCode>)] = []
    /// One for each change, repeated or not. Without any the transaction only read.
    private(set) var events: [Event] = []
    /// The nearest node above all that was read; a refused reading does not count.
    private(set) var lowestRead: StorePath?
    /// The nearest node above all that was changed.
    private(set) var lowestWrite: StorePath?
    /// Set for good when there were too many requests: not even the end is taken then.
    private(set) var isOverQuota = false

    init(origin: Tree) {
        self.origin = origin
    }

    /// Notes a request and what was answered.
    func noteOperation(_ request: Message, _ reply: Result<[UInt8], StoreErrorCode>) {
        operations.append((request, reply))
    }

    /// Notes a change that watches are to hear of.
    func noteEvent(_ event: Event) { events.append(event) }

    func noteOverQuota() { isOverQuota = true }

    func noteRead(_ path: StorePath) {
        lowestRead = lowestRead?.commonAncestor(with: path) ?? path
    }

    func noteWrite(_ path: StorePath) {
        lowestWrite = lowestWrite?.commonAncestor(with: path) ?? path
    }
}

extension StorePath {
    /// The longest path that both begin with.
    func commonAncestor(with other: StorePath) -> StorePath {
        let slash = UInt8(ascii: "/")
        let (bytes, otherBytes) = (Array(text.utf8), Array(other.text.utf8))
        let count = min(bytes.count, otherBytes.count)
        var end = 0
        while end < count, bytes[end] == otherBytes[end] { end += 1 }
        let isWhole = end == bytes.count && (end == otherBytes.count || otherBytes[end] == slash)
        let isOther = end == otherBytes.count && end < bytes.count && bytes[end] == slash
        if !isWhole, !isOther { end = bytes[..<end].lastIndex(of: slash) ?? 0 }
        return end == 0 ? .root : StorePath(text: String(decoding: bytes[..<end], as: UTF8.self))
    }
}
