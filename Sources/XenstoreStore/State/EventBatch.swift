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

    mutating func append(
        _ path: UnsafeBufferPointer<UInt8>,
        _ token: UnsafeBufferPointer<UInt8>
    ) {
        MessageHeader(
            rawType: MessageType.watchEvent.rawValue,
            requestID: RequestID(0),
            transactionID: .none,
            length: UInt32(path.count + token.count + 2)
        ).encode(into: &bytes)
        bytes.append(contentsOf: path)
        bytes.append(0)
        bytes.append(contentsOf: token)
        bytes.append(0)
    }
}
