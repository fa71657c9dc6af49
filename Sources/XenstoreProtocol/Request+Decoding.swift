extension Request {
    /// Parses a request, as a server does.
    ///
    /// - Throws: the error that a server answers: ``StoreErrorCode/notImplemented`` for an unknown
    ///   type, ``StoreErrorCode/invalid`` for a payload of another form or an illegal path;
    ///   ``StoreErrorCode/noEntry`` for an UNWATCH of an illegal path.
    public init(_ message: Message) throws(StoreErrorCode) {
        guard let type = message.type else { throw .notImplemented }
        var arguments = Arguments(message.payload)
        self = try Self.parse(type, &arguments)
        try arguments.finish()
    }

    private static func parse(
        _ type: MessageType,
        _ arguments: inout Arguments
    ) throws(StoreErrorCode) -> Request {
        switch type {
        case .directory: .directory(try arguments.path())
        case .read: .read(try arguments.path())
        case .getPermissions: .getPermissions(try arguments.path())
        case .makeDirectory: .makeDirectory(try arguments.path())
        case .remove: .remove(try arguments.path())
        case .directoryPart:
            .directoryPart(try arguments.path(), offset: try arguments.number())
        case .write: .write(try arguments.path(), value: arguments.rest())
        case .setPermissions:
            .setPermissions(try arguments.path(), try arguments.permissions())
        case .watch:
            .watch(
                try arguments.path(),
                token: try arguments.next(),
                depth: try arguments.hasMore ? arguments.number() : nil
            )
        case .unwatch: try parseUnwatch(&arguments)
        case .transactionStart: try arguments.skipAll(.transactionStart)
        case .resetWatches: try arguments.skipAll(.resetWatches)
        case .transactionEnd: .transactionEnd(commit: try arguments.trueOrFalse())
        default: try parseAdministrative(type, &arguments)
        }
    }

    private static func parseAdministrative(
        _ type: MessageType,
        _ arguments: inout Arguments
    ) throws(StoreErrorCode) -> Request {
        switch type {
        case .control: .control(try arguments.all())
        case .introduce: try parseIntroduce(&arguments)
        case .release: .release(try arguments.domain())
        case .getDomainPath: .getDomainPath(try arguments.domain())
        case .isDomainIntroduced: .isDomainIntroduced(try arguments.domain())
        case .resume: .resume(try arguments.domain())
        case .restrict: .restrict(try arguments.domain())
        case .setTarget:
            .setTarget(try arguments.domain(), target: try arguments.domain())
        case .getFeature: .getFeature(try arguments.hasMore ? arguments.domain() : nil)
        case .setFeature:
            .setFeature(try arguments.domain(), features: try arguments.number())
        case .getQuota: try parseGetQuota(&arguments)
        case .setQuota: try parseSetQuota(&arguments)
        default: throw .notImplemented
        }
    }

    /// Nobody can watch an illegal path: both daemons find no such watch, and nothing wrong.
    private static func parseUnwatch(
        _ arguments: inout Arguments
    ) throws(StoreErrorCode) -> Request {
        let bytes = try arguments.next()
        let token = try arguments.next()
        guard let path = try? XenstorePath(bytes: bytes) else { throw .noEntry }
        return .unwatch(path, token: token)
    }

    private static func parseIntroduce(
        _ arguments: inout Arguments
    ) throws(StoreErrorCode) -> Request {
        let domain = try arguments.domain()
        let frame = try arguments.signedNumber()
        let eventChannel: UInt32 = try arguments.number()
        // Toolstacks may append what later versions of the protocol define.
        arguments.ignoreRest()
        return .introduce(domain, frame: frame, eventChannel: eventChannel)
    }

    /// The domain and the name are both optional, and only their number tells them apart.
    private static func parseGetQuota(
        _ arguments: inout Arguments
    ) throws(StoreErrorCode) -> Request {
        let words = try arguments.all()
        switch words.count {
        case 0:
            return .getQuota(nil, name: nil)
        case 1:
            return .getQuota(nil, name: String(decoding: words[0], as: UTF8.self))
        case 2:
            guard let domain = DomainID(decimal: words[0]) else { throw .invalid }
            return .getQuota(domain, name: String(decoding: words[1], as: UTF8.self))
        default:
            throw .invalid
        }
    }

    private static func parseSetQuota(
        _ arguments: inout Arguments
    ) throws(StoreErrorCode) -> Request {
        var words = try arguments.all()
        guard words.count == 2 || words.count == 3, let last = words.popLast(),
            let value = UInt32(decimal: last), let name = words.popLast()
        else { throw .invalid }
        var domain: DomainID?
        if let word = words.popLast() {
            domain = DomainID(decimal: word)
            guard domain != nil else { throw .invalid }
        }
        return .setQuota(domain, name: String(decoding: name, as: UTF8.self), value: value)
    }
}

/// Takes a payload apart into arguments that each end with a NUL.
private struct Arguments {
    private var remaining: ArraySlice<UInt8>

    init(_ payload: [UInt8]) {
        remaining = payload[...]
    }

    var hasMore: Bool { !remaining.isEmpty }

    mutating func next() throws(StoreErrorCode) -> [UInt8] {
        guard let end = remaining.firstIndex(of: 0) else { throw .invalid }
        let argument = Array(remaining[remaining.startIndex..<end])
        remaining = remaining[(end + 1)...]
        return argument
    }

    mutating func all() throws(StoreErrorCode) -> [[UInt8]] {
        var arguments: [[UInt8]] = []
        while hasMore {
            arguments.append(try next())
        }
        return arguments
    }

    mutating func rest() -> [UInt8] {
        let bytes = Array(remaining)
        remaining = []
        return bytes
    }

    mutating func ignoreRest() {
        remaining = []
    }

    /// Some requests have no argument, and clients send an empty payload, a NUL, or more.
    mutating func skipAll(_ request: Request) throws(StoreErrorCode) -> Request {
        remaining = []
        return request
    }

    func finish() throws(StoreErrorCode) {
        guard !hasMore else { throw .invalid }
    }

    mutating func path() throws(StoreErrorCode) -> XenstorePath {
        let bytes = try next()
        do throws(PathError) {
            return try XenstorePath(bytes: bytes)
        } catch {
            throw .invalid
        }
    }

    mutating func number<Number: FixedWidthInteger>() throws(StoreErrorCode) -> Number {
        guard let number = Number(decimal: try next()) else { throw .invalid }
        return number
    }

    mutating func signedNumber() throws(StoreErrorCode) -> Int64 {
        let bytes = try next()
        let isNegative = bytes.first == UInt8(ascii: "-")
        guard let magnitude = Int64(decimal: bytes.dropFirst(isNegative ? 1 : 0)) else {
            throw .invalid
        }
        return isNegative ? -magnitude : magnitude
    }

    mutating func domain() throws(StoreErrorCode) -> DomainID {
        guard let domain = DomainID(decimal: try next()) else { throw .invalid }
        return domain
    }

    mutating func trueOrFalse() throws(StoreErrorCode) -> Bool {
        switch try next() {
        case [UInt8(ascii: "T")]: return true
        case [UInt8(ascii: "F")]: return false
        default: throw .invalid
        }
    }

    mutating func permissions() throws(StoreErrorCode) -> Permissions {
        guard let permissions = Permissions(payload: rest()) else { throw .invalid }
        return permissions
    }
}
