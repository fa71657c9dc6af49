import XenstoreProtocol

/// How oxenstored answers. What is not followed is listed in docs/PROTOCOL.md.
final class OxenstoredEngine {
    /// What its store starts with: the special paths are nodes like any others, below the root.
    static let traits = StoreState.Traits(
        firstNodes: ["/tool", "/tool/xenstored", "/local"].map { StorePath(text: $0) },
        permanentNodes: [StorePath.introduceDomain, .releaseDomain].map {
            .root.appending($0.text)
        },
        eventMemory: Int(Quota.memory.defaultValue)
    )

    private let access: OxenstoredAccess
    private let accounts: DomainAccounts
    private let connections: ConnectionTable
    private let nodes: OxenstoredNodes
    private let watches: OxenstoredWatches
    private let transactions: OxenstoredTransactions
    private let domains: OxenstoredDomains

    init(_ state: StoreState) {
        access = OxenstoredAccess(state)
        accounts = state.accounts
        connections = state.connections
        watches = OxenstoredWatches(state, access)
        nodes = OxenstoredNodes(state, access, watches)
        transactions = OxenstoredTransactions(state, watches)
        domains = OxenstoredDomains(state, access, watches)
    }

    /// Bytes that a reply may have: the privileged domain's sockets get whole lists, however long.
    static func payloadLimit(of connection: Connection) -> Int {
        connection.domain == .privileged
            ? ProtocolLimits.oversizedListing : ProtocolLimits.payloadSize
    }

    /// Handles a message, and fills in its reply.
    func answer(
        _ message: Message,
        _ connection: Connection,
        into reply: inout Message
    ) throws(StoreErrorCode) {
        if message.isOutsideTransactions { reply.transactionID = .none }
        reply.payload = try payload(answering: message, connection)
        guard reply.payload.count <= Self.payloadLimit(of: connection) else { throw .tooBig }
    }

    /// The payload of the reply.
    ///
    /// The order of the checks is oxenstored's: the transaction, the quota of requests, the type,
    /// the rights of the caller, and then what is asked.
    private func payload(
        answering message: Message,
        _ connection: Connection
    ) throws(StoreErrorCode) -> [UInt8] {
        var transaction: Transaction?
        if message.transactionID != .none, !message.isOutsideTransactions {
            transaction = connection.transactions[message.transactionID]
            guard transaction != nil else { throw .ioError }
        }
        let caller = Caller(connection: connection, transaction: transaction)
        try checkRequests(caller)
        let reply = result(of: message, caller)
        transaction?.log?.noteOperation(message, reply)
        return try reply.get()
    }

    /// What a request brings, carried out for the first time or again.
    private func result(of message: Message, _ caller: Caller) -> Result<[UInt8], StoreErrorCode> {
        do throws(StoreErrorCode) {
            return .success(try carryOut(message, caller))
        } catch {
            return .failure(error)
        }
    }

    /// Places that a transaction may touch, for each request that it may have.
    private static let placesPerRequest = 16

    /// Bounds the requests of one transaction, and what is kept of them.
    private func checkRequests(_ caller: Caller) throws(StoreErrorCode) {
        guard let transaction = caller.transaction, let log = transaction.log,
            !access.holdsAllRights(caller.connection),
            let limit = accounts.limit(.transactionNodes, of: caller.domain)
        else { return }
        let hasManyPlaces = transaction.footprint.places.count >= Self.placesPerRequest * limit
        if log.isOverQuota || log.operations.count >= limit || hasManyPlaces {
            log.noteOverQuota()
            throw .quota
        }
    }

    private func carryOut(_ message: Message, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        guard let type = message.type, type.isKnownToOxenstored else { throw .notImplemented }
        guard !type.isForPrivilegedInOxenstored || access.holdsAllRights(caller.connection) else {
            throw .accessDenied
        }
        switch type {
        case .transactionEnd: return try transactions.end(message, caller, carryOut: result)
        // It takes what it does not understand for done.
        case .control: return domains.control(message.payload, caller) ?? Reply.okay
        // An empty path is none, but of an illegal one it just knows no watch.
        case .unwatch where message.payload.first == 0: throw .invalid
        default: return try carryOut(try Request(message), caller)
        }
    }

    private func carryOut(_ request: Request, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        switch request {
        case .read(let path): return try nodes.read(path, caller)
        case .directory(let path): return try nodes.directory(path, caller)
        case .getPermissions(let path): return try nodes.permissions(of: path, caller)
        case .write(let path, let value): try nodes.write(value, to: path, caller)
        case .makeDirectory(let path): try nodes.makeDirectory(path, caller)
        case .remove(let path): try nodes.remove(path, caller)
        case .setPermissions(let path, let permissions):
            try nodes.setPermissions(permissions, of: path, caller)
        case .watch(let path, let token, let depth):
            guard depth == nil else { throw .invalid }
            try watches.watch(path, token: token, caller)
        case .unwatch(let path, let token): try watches.unwatch(path, token: token, caller)
        case .resetWatches: connections.endWatchesAndTransactions(of: caller.connection)
        case .transactionStart: return try transactions.start(caller)
        default: return try carryOutAdministrative(request)
        }
        return Reply.okay
    }

    private func carryOutAdministrative(_ request: Request) throws(StoreErrorCode) -> [UInt8] {
        switch request {
        case .getDomainPath(let domain): return Reply.text(StorePath.home(of: domain).text)
        case .isDomainIntroduced(let domain):
            return Reply.text(accounts.isIntroduced(domain) ? "T" : "F")
        case .introduce(let domain, let frame, let eventChannel):
            try domains.introduce(domain, frame: frame, eventChannel: eventChannel)
        case .release(let domain): try domains.release(domain)
        case .resume(let domain):
            guard accounts.isIntroduced(domain) else { throw .invalid }
        case .setTarget(let domain, let target): try domains.setTarget(domain, target)
        default: preconditionFailure("a request that oxenstored does not know")
        }
        return Reply.okay
    }
}

extension MessageType {
    fileprivate var isKnownToOxenstored: Bool {
        switch self {
        case .watchEvent, .error, .restrict, .directoryPart, .getFeature, .setFeature, .getQuota,
            .setQuota:
            false
        default: true
        }
    }

    fileprivate var isForPrivilegedInOxenstored: Bool {
        switch self {
        case .introduce, .release, .isDomainIntroduced, .resume, .setTarget: true
        default: false
        }
    }
}
