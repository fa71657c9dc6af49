import XenstoreProtocol

/// The events in a connection's output since something of it was last written: an equal one says
/// no more.
///
/// They are found by digests of their payloads, which are made only when an event has others in
/// front of it: most often a change is one event, and is written at once.
struct UnsentEvents {
    /// A digest, and where in the output the event's header begins, plus one; zero for a slot that
    /// is free. At least every second is.
    private var slots: [UInt64] = []
    private var count = 0
    /// The output behind this is not in `slots` yet.
    private var known = 0

    /// Forgets all events, where the output has so many bytes.
    ///
    /// - Parameter kept: slots that memory is kept for.
    mutating func forget(outputCount: Int, keeping kept: Int) {
        known = outputCount
        guard count > 0 else { return }
        count = 0
        if slots.count > kept {
            slots = []
        } else {
            for slot in slots.indices { slots[slot] = 0 }
        }
    }

    /// Whether an event that is to be appended to the output equals none there.
    mutating func isNew(_ payload: UnsafeRawBufferPointer, _ output: [UInt8]) -> Bool {
        guard Self.isMerged(payload), isAnyEventIn(output) else { return true }
        let digest = Self.digest(payload)
        return output.withUnsafeBytes { output in
            guard !contains(payload, digest, output) else { return false }
            insert(digest, at: output.count)
            known = output.count + ProtocolLimits.headerSize + payload.count
            return true
        }
    }

    /// Appends those of many events to the output that equal none there. They do not equal each
    /// other.
    mutating func append(_ events: [UInt8], to output: inout [UInt8]) {
        guard isAnyEventIn(output) else { return output.append(contentsOf: events) }
        events.withUnsafeBytes { events in
            Self.forEachMessage(events, from: 0) { _, start, payload in
                guard isNew(payload, output) else { return }
                let end = start + ProtocolLimits.headerSize + payload.count
                output.append(
                    contentsOf: UnsafeRawBufferPointer(rebasing: events[start..<end])
                )
            }
        }
    }

    /// Whether there is any event to be compared with. Then `slots` has all of them.
    private mutating func isAnyEventIn(_ output: [UInt8]) -> Bool {
        guard known < output.count else { return count > 0 }
        let start = known
        known = output.count
        output.withUnsafeBytes { output in
            Self.forEachMessage(output, from: start) { header, start, payload in
                guard header.type == .watchEvent, Self.isMerged(payload) else { return }
                insert(Self.digest(payload), at: start)
            }
        }
        return count > 0
    }

    /// Special events are sent each time: two domains may have come.
    private static func isMerged(_ payload: UnsafeRawBufferPointer) -> Bool {
        payload.first != UInt8(ascii: "@")
    }

    // MARK: Slots

    private func contains(
        _ payload: UnsafeRawBufferPointer,
        _ digest: UInt32,
        _ output: UnsafeRawBufferPointer
    ) -> Bool {
        guard !slots.isEmpty else { return false }
        var slot = Int(digest) & (slots.count - 1)
        while slots[slot] != 0 {
            if UInt32(slots[slot] >> 32) == digest {
                let start = Int(slots[slot] & 0xFFFF_FFFF) - 1
                if let other = Self.message(at: start, in: output)?.payload,
                    other.elementsEqual(payload)
                {
                    return true
                }
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return false
    }

    private mutating func insert(_ digest: UInt32, at start: Int) {
        count += 1
        if 2 * count > slots.count {
            let entries = slots
            slots = Array(repeating: 0, count: max(16, 2 * entries.count))
            for entry in entries where entry != 0 { put(entry) }
        }
        put(UInt64(digest) << 32 | UInt64(start + 1))
    }

    private mutating func put(_ entry: UInt64) {
        var slot = Int(entry >> 32) & (slots.count - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = entry
    }

    private static func digest(_ payload: UnsafeRawBufferPointer) -> UInt32 {
        var hasher = Hasher()
        hasher.combine(bytes: payload)
        return UInt32(truncatingIfNeeded: hasher.finalize())
    }

    // MARK: Messages

    private static func message(
        at start: Int,
        in bytes: UnsafeRawBufferPointer
    ) -> (header: MessageHeader, payload: UnsafeRawBufferPointer)? {
        guard start < bytes.count,
            let header = MessageHeader(decoding: UnsafeRawBufferPointer(rebasing: bytes[start...]))
        else { return nil }
        let begin = start + ProtocolLimits.headerSize
        let payload = bytes[begin..<(begin + Int(header.length))]
        return (header, UnsafeRawBufferPointer(rebasing: payload))
    }

    private static func forEachMessage(
        _ bytes: UnsafeRawBufferPointer,
        from start: Int,
        _ body: (MessageHeader, Int, UnsafeRawBufferPointer) -> Void
    ) {
        var start = start
        while let (header, payload) = message(at: start, in: bytes) {
            body(header, start, payload)
            start += ProtocolLimits.headerSize + payload.count
        }
    }
}
