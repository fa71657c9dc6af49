public import XenstoreProtocol

/// Events for one connection, one behind the other as they go over the wire: a commit can make
/// many thousands at once.
public struct EventBatch: Hashable, Sendable {
    /// Headers and payloads.
    public private(set) var bytes: [UInt8] = []

    init() {}

    /// The events one by one.
    public var messages: [Message] {
        var messages: [Message] = []
        var rest = bytes[...]
        while let header = MessageHeader(decoding: rest) {
            let payload = rest.dropFirst(ProtocolLimits.headerSize).prefix(Int(header.length))
            messages.append(Message(.watchEvent, payload: Array(payload)))
            rest = rest[payload.endIndex...]
        }
        return messages
    }

    /// Appends an event.
    ///
    /// - Parameter tail: the token, with the NUL that ends the path and the one that ends it.
    mutating func append(
        _ path: UnsafeBufferPointer<UInt8>,
        _ tail: UnsafeBufferPointer<UInt8>
    ) {
        MessageHeader(
            rawType: MessageType.watchEvent.rawValue,
            requestID: RequestID(0),
            transactionID: .none,
            length: UInt32(path.count + tail.count)
        ).encode(into: &bytes)
        bytes.append(contentsOf: path)
        bytes.append(contentsOf: tail)
    }
}
