import Reactor
import SystemPackage
import XenstoreProtocol
import XenstoreStore

/// The replies and events that wait until a client reads them.
struct SessionOutput {
    private var bytes: [UInt8] = []
    /// Bytes at the beginning that are written.
    private var written = 0
    /// Where replies end, of those that are counted.
    private var replyEnds: [Int] = []
    private var unsentEvents = UnsentEvents()
    private let mergesEvents: Bool

    /// - Parameter mergesEvents: whether an event that equals one that waits is left out.
    init(mergesEvents: Bool) { self.mergesEvents = mergesEvents }

    /// Bytes that wait.
    var count: Int { bytes.count - written }

    var isEmpty: Bool { written == bytes.count }

    /// Replies that wait, of those that are counted.
    var replyCount: Int { replyEnds.count }

    /// Whether a message is to be appended: an event may be there already.
    mutating func isNew(_ message: Message) -> Bool {
        guard mergesEvents, message.type == .watchEvent else { return true }
        return message.payload.withUnsafeBytes { unsentEvents.isNew($0, bytes) }
    }

    /// - Parameter isCounted: whether it is a reply that ``replyCount`` counts.
    mutating func append(_ message: Message, isCounted: Bool) {
        message.encode(into: &bytes)
        if isCounted { replyEnds.append(bytes.count) }
    }

    /// Appends those of the events that are not there already.
    mutating func append(_ batch: EventBatch) {
        if mergesEvents {
            unsentEvents.append(batch.bytes, to: &bytes)
        } else {
            bytes.append(contentsOf: batch.bytes)
        }
    }

    /// Writes what the descriptor takes.
    ///
    /// - Returns: how many replies are written by now that were not before, of those counted.
    mutating func write(
        to descriptor: FileDescriptor,
        _ limits: SessionLimits
    ) throws(Errno) -> Int {
        let before = written
        while written < bytes.count,
            let count = try descriptor.writeAvailable(bytes, from: written)
        {
            written += count
        }
        guard written > before else { return 0 }
        let sent = replyEnds.prefix { $0 <= written }.count
        replyEnds.removeFirst(sent)
        shrink(limits)
        unsentEvents.forget(outputCount: bytes.count, keeping: 2 * limits.keptEvents)
        return sent
    }

    private mutating func shrink(_ limits: SessionLimits) {
        if written == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.capacity <= limits.keptOutput)
        } else if written > bytes.count / 2 {
            // A reader that never catches up must not keep what it has read.
            bytes.removeSubrange(..<written)
            for index in replyEnds.indices { replyEnds[index] -= written }
        } else {
            return
        }
        written = 0
    }
}
