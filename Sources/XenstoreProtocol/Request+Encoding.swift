extension Request {
    /// Appends the request's message.
    ///
    /// - Returns: false, with `bytes` as they were, if the payload exceeds `payloadLimit` bytes.
    public func encode(
        requestID: RequestID,
        transactionID: TransactionID,
        payloadLimit: Int = ProtocolLimits.payloadSize,
        into bytes: inout [UInt8]
    ) -> Bool {
        let start = bytes.count
        let header = MessageHeader(
            rawType: type.rawValue,
            requestID: requestID,
            transactionID: transactionID,
            length: 0
        )
        header.encode(into: &bytes)
        encodePayload(into: &bytes)
        let length = bytes.count - start - ProtocolLimits.headerSize
        guard length <= payloadLimit else {
            bytes.removeSubrange(start...)
            return false
        }
        MessageHeader.patchLength(UInt32(length), at: start, in: &bytes)
        return true
    }

    /// The request's payload alone.
    public var payload: [UInt8] {
        var bytes: [UInt8] = []
        encodePayload(into: &bytes)
        return bytes
    }

    private func encodePayload(into bytes: inout [UInt8]) {
        switch self {
        case .control(let arguments):
            for argument in arguments {
                bytes.append(argument: argument)
            }
        case .directory(let path), .read(let path), .getPermissions(let path),
            .makeDirectory(let path), .remove(let path):
            bytes.append(argument: path.text.utf8)
        case .watch(let path, let token, let depth):
            bytes.append(argument: path.text.utf8)
            bytes.append(argument: token)
            if let depth { bytes.append(argument: String(depth).utf8) }
        case .unwatch(let path, let token):
            bytes.append(argument: path.text.utf8)
            bytes.append(argument: token)
        case .transactionStart, .resetWatches:
            bytes.append(0)
        case .transactionEnd(let commit):
            bytes.append(argument: (commit ? "T" : "F").utf8)
        case .introduce(let domain, let frame, let eventChannel):
            bytes.append(argument: domain.description.utf8)
            bytes.append(argument: String(frame).utf8)
            bytes.append(argument: String(eventChannel).utf8)
        case .release(let domain), .getDomainPath(let domain), .isDomainIntroduced(let domain),
            .resume(let domain), .restrict(let domain):
            bytes.append(argument: domain.description.utf8)
        case .write(let path, let value):
            bytes.append(argument: path.text.utf8)
            bytes.append(contentsOf: value)
        case .setPermissions(let path, let permissions):
            bytes.append(argument: path.text.utf8)
            permissions.encodeRequest(into: &bytes)
        case .setTarget(let domain, let target):
            bytes.append(argument: domain.description.utf8)
            bytes.append(argument: target.description.utf8)
        case .directoryPart(let path, let offset):
            bytes.append(argument: path.text.utf8)
            bytes.append(argument: String(offset).utf8)
        case .getFeature(let domain):
            // Without a domain the payload is empty, as for any list of no arguments.
            if let domain { bytes.append(argument: domain.description.utf8) }
        case .setFeature(let domain, let features):
            bytes.append(argument: domain.description.utf8)
            bytes.append(argument: String(features).utf8)
        case .getQuota(let domain, let name):
            if let domain { bytes.append(argument: domain.description.utf8) }
            if let name { bytes.append(argument: name.utf8) }
        case .setQuota(let domain, let name, let value):
            if let domain { bytes.append(argument: domain.description.utf8) }
            bytes.append(argument: name.utf8)
            bytes.append(argument: String(value).utf8)
        }
    }
}

extension [UInt8] {
    /// Appends an argument and the NUL that ends it.
    fileprivate mutating func append(argument: some Sequence<UInt8>) {
        append(contentsOf: argument)
        append(0)
    }
}
