import Reactor
import SystemPackage
import XenstoreProtocol

/// Encoded messages in a row; taken from the front without moving the rest each time.
struct ByteQueue {
    /// Taken bytes that may pile up in front before what is left is moved.
    private static let slack = 65536

    var bytes: [UInt8] = []
    private var start = 0

    var count: Int { bytes.count - start }

    var isEmpty: Bool { count == 0 }

    /// The header of the first message.
    var firstHeader: MessageHeader? {
        MessageHeader(decoding: bytes[start...])
    }

    /// The first `size` bytes.
    func first(_ size: Int) -> ArraySlice<UInt8> { bytes[start..<(start + size)] }

    /// Writes the first `size` bytes; nil where the descriptor would block.
    func write(_ size: Int, to descriptor: FileDescriptor) throws(Errno) -> Int? {
        try descriptor.writeAvailable(bytes, from: start, count: size)
    }

    /// Forgets the first `size` bytes.
    mutating func drop(_ size: Int) {
        start += size
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: true)
            start = 0
        } else if start > Self.slack {
            bytes.removeSubrange(..<start)
            start = 0
        }
    }

    /// Takes the first message out.
    mutating func takeFirstMessage() -> [UInt8] {
        guard let header = firstHeader else { return [] }
        let size = ProtocolLimits.headerSize + Int(header.length)
        let message = Array(bytes[start..<(start + size)])
        drop(size)
        return message
    }
}
