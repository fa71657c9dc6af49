/// The fixed part of a message (`struct xsd_sockmsg`): four numbers in the host's byte order.
public struct MessageHeader: Hashable, Sendable {
    /// The raw type, since a peer may send one that this library does not know.
    public var rawType: UInt32
    public var requestID: RequestID
    public var transactionID: TransactionID
    /// Bytes of payload that follow.
    public var length: UInt32

    public init(
        rawType: UInt32,
        requestID: RequestID,
        transactionID: TransactionID,
        length: UInt32
    ) {
        self.rawType = rawType
        self.requestID = requestID
        self.transactionID = transactionID
        self.length = length
    }

    /// The type, or nil where the number is not one of the protocol's.
    public var type: MessageType? { MessageType(rawValue: rawType) }
}

/// One whole message of the protocol.
public struct Message: Hashable, Sendable {
    public var rawType: UInt32
    public var requestID: RequestID
    public var transactionID: TransactionID
    /// At most ``ProtocolLimits/payloadSize`` bytes in a message that a decoder gave.
    public var payload: [UInt8]

    public init(
        rawType: UInt32,
        requestID: RequestID = RequestID(0),
        transactionID: TransactionID = .none,
        payload: [UInt8]
    ) {
        self.rawType = rawType
        self.requestID = requestID
        self.transactionID = transactionID
        self.payload = payload
    }

    public init(
        _ type: MessageType,
        requestID: RequestID = RequestID(0),
        transactionID: TransactionID = .none,
        payload: [UInt8]
    ) {
        self.init(
            rawType: type.rawValue,
            requestID: requestID,
            transactionID: transactionID,
            payload: payload
        )
    }

    /// The type, or nil where the number is not one of the protocol's.
    public var type: MessageType? { MessageType(rawValue: rawType) }

    /// Appends header and payload as they go over the wire.
    public func encode(into bytes: inout [UInt8]) {
        let header = MessageHeader(
            rawType: rawType,
            requestID: requestID,
            transactionID: transactionID,
            length: UInt32(payload.count)
        )
        header.encode(into: &bytes)
        bytes.append(contentsOf: payload)
    }
}

extension MessageHeader {
    /// Appends the sixteen bytes of the header.
    public func encode(into bytes: inout [UInt8]) {
        withUnsafeBytes(of: (rawType, requestID.rawValue, transactionID.rawValue, length)) {
            bytes.append(contentsOf: $0)
        }
    }

    /// Takes the header that bytes begin with; nil where there are too few.
    package init?(decoding bytes: ArraySlice<UInt8>) {
        let header = bytes.withUnsafeBytes { MessageHeader(decoding: $0) }
        guard let header else { return nil }
        self = header
    }

    /// Takes the header that bytes begin with; nil where there are too few.
    package init?(decoding bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= ProtocolLimits.headerSize else { return nil }
        func number(_ index: Int) -> UInt32 {
            bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
        }
        self.init(
            rawType: number(0),
            requestID: RequestID(number(1)),
            transactionID: TransactionID(number(2)),
            length: number(3)
        )
    }

    /// Overwrites the length in a header that was encoded at `offset`, once it is known.
    package static func patchLength(_ length: UInt32, at offset: Int, in bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes {
            $0.storeBytes(of: length, toByteOffset: offset + 12, as: UInt32.self)
        }
    }
}
