/// What a peer did that ends the conversation with it.
public enum ProtocolViolation: Error, Hashable, Sendable {
    /// A header that declares more payload than the protocol allows.
    case payloadTooLong(length: UInt32)
    /// A reply that answers no request.
    case unexpectedReply(requestID: RequestID)
    /// A reply whose type is not that of the request.
    case wrongReplyType(rawType: UInt32)
    /// A payload that is not of its type's form.
    case malformedPayload(rawType: UInt32)
}

/// Cuts a stream of bytes into messages, however the stream is split.
///
/// A header and its payload often come in two pieces: the daemons write them separately.
public struct MessageDecoder: Sendable {
    private var buffer: [UInt8] = []
    /// Bytes of `buffer` before this are consumed.
    private var start = 0
    /// Bytes of `buffer` from this on are free.
    private var end = 0
    private var violation: ProtocolViolation?
    private let payloadLimit: Int
    private let directoryLimit: Int
    private let initialCapacity: Int

    /// - Parameters:
    ///   - payloadLimit: bytes of payload that a message may have. A server that stands for
    ///     oxenstored gives more.
    ///   - directoryLimit: bytes of payload that a DIRECTORY message may have. A client gives more.
    ///   - initialCapacity: bytes of the buffer's first size. The default takes many replies of a
    ///     pipelined batch; who holds thousands of decoders gives less.
    public init(
        payloadLimit: Int = ProtocolLimits.payloadSize,
        directoryLimit: Int = ProtocolLimits.payloadSize,
        initialCapacity: Int = 65536
    ) {
        self.payloadLimit = payloadLimit
        self.directoryLimit = max(payloadLimit, directoryLimit)
        self.initialCapacity = initialCapacity
    }

    /// Bytes that are held and belong to no message that was given out.
    public var pendingCount: Int { end - start }

    /// Adds bytes as they came.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        let count = bytes.count
        reserve(count)
        for (index, byte) in zip(end..., bytes) {
            buffer[index] = byte
        }
        end += count
    }

    /// Adds bytes as they came, from anywhere in memory.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count)
        let free = end
        buffer.withUnsafeMutableBytes { buffer in
            UnsafeMutableRawBufferPointer(rebasing: buffer[free...]).copyMemory(from: bytes)
        }
        end += bytes.count
    }

    /// Gives memory back beyond the first size, if nothing is held.
    public mutating func shrink() {
        guard pendingCount == 0, buffer.count > initialCapacity else { return }
        buffer = []
        start = 0
        end = 0
    }

    /// Lets `body` write up to `minimumCapacity` bytes or more straight into the buffer.
    ///
    /// - Returns: what `body` returns, the number of bytes that it wrote.
    public mutating func fill(
        minimumCapacity: Int,
        _ body: (UnsafeMutableRawBufferPointer) -> Int
    ) -> Int {
        reserve(minimumCapacity)
        let free = end
        let written = buffer.withUnsafeMutableBytes { bytes in
            body(UnsafeMutableRawBufferPointer(rebasing: bytes[free...]))
        }
        precondition(written >= 0 && free + written <= buffer.count, "body wrote past its buffer")
        end += written
        return written
    }

    /// The next whole message, or nil until more bytes come.
    ///
    /// - Throws: ``ProtocolViolation/payloadTooLong(length:)``, then and at every later call: where
    ///   a length is wrong, all that follows is.
    public mutating func next() throws(ProtocolViolation) -> Message? {
        if let violation { throw violation }
        let headerSize = ProtocolLimits.headerSize
        guard let header = MessageHeader(decoding: buffer[start..<end]) else { return nil }
        let limit = header.type == .directory ? directoryLimit : payloadLimit
        guard header.length <= limit else {
            let found = ProtocolViolation.payloadTooLong(length: header.length)
            violation = found
            throw found
        }
        let size = headerSize + Int(header.length)
        guard pendingCount >= size else { return nil }
        let payload = Array(buffer[(start + headerSize)..<(start + size)])
        start += size
        if start == end {
            start = 0
            end = 0
        }
        return Message(
            rawType: header.rawType,
            requestID: header.requestID,
            transactionID: header.transactionID,
            payload: payload
        )
    }

    /// Makes room for `count` bytes after `end`: by moving what is held to the front, then by
    /// growing.
    private mutating func reserve(_ count: Int) {
        guard buffer.count - end < count else { return }
        if start > 0 {
            buffer.withUnsafeMutableBytes { bytes in
                let held = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                bytes.copyMemory(from: held)
            }
            end -= start
            start = 0
        }
        let missing = end + count - buffer.count
        if missing > 0 {
            let growth = max(missing, initialCapacity - buffer.count)
            buffer.append(contentsOf: repeatElement(0, count: growth))
        }
    }
}
