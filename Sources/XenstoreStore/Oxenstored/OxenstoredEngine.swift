import XenstoreProtocol

/// How oxenstored answers. Its nodes, transactions, watches and domains are in the files beside
/// this one; what is not followed is listed in docs/PROTOCOL.md.
extension Store {
    /// The payload of the reply.
    ///
    /// The order of the checks is oxenstored's: the transaction, the quota of requests, the type,
    /// the rights of the caller, and then what is asked.
    func answerAsOxenstored(
        _ message: Message,
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
    func result(of message: Message, _ caller: Caller) -> Result<[UInt8], StoreErrorCode> {
        do throws(StoreErrorCode) {
            return .success(try carryOut(message, caller))
        } catch {
            return .failure(error)
        }
    }

    /// Whether a connection has all rights: also where it is the stub domain of the privileged one.
    func holdsAllRights(_ connection: Connection) -> Bool {
        stands(connection, for: .privileged)
    }

    /// Places that a transaction may touch, for each request that it may have.
    private static let placesPerRequest = 16

    /// Bounds the requests of one transaction, and what is kept of them.
    private func checkRequests(_ caller: Caller) throws(StoreErrorCode) {
        guard let transaction = caller.transaction, let log = transaction.log,
            !holdsAllRights(caller.connection),
            let limit = domains.limit(.transactionNodes, of: caller.domain)
        else { return }
        let hasManyPlaces = transaction.footprint.places.count >= Self.placesPerRequest * limit
        if log.isOverQuota || log.operations.count >= limit || hasManyPlaces {
            log.noteOverQuota()
            throw .quota
        }
    }

    private func carryOut(_ message: Message, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        guard let type = message.type, type.isKnownToOxenstored else { throw .notImplemented }
        guard !type.isForPrivilegedInOxenstored || holdsAllRights(caller.connection) else {
            throw .accessDenied
        }
        switch type {
        case .transactionEnd: return try endReplayable(message, caller)
        // It takes what it does not understand for done.
        case .control: return oxenstoredControl(message.payload, caller) ?? Self.okay
        // An empty path is none, but of an illegal one it just knows no watch.
        case .unwatch where message.payload.first == 0: throw .invalid
        default: return try carryOut(try Request(message), caller)
        }
    }

    private func carryOut(_ request: Request, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        switch request {
        case .read(let path): return try oxenstoredRead(path, caller)
        case .directory(let path): return try oxenstoredDirectory(path, caller)
        case .getPermissions(let path): return try oxenstoredPermissions(of: path, caller)
        case .write(let path, let value): try oxenstoredWrite(value, to: path, caller)
        case .makeDirectory(let path): try oxenstoredMakeDirectory(path, caller)
        case .remove(let path): try oxenstoredRemove(path, caller)
        case .setPermissions(let path, let permissions):
            try oxenstoredSetPermissions(permissions, of: path, caller)
        case .watch(let path, let token, let depth):
            guard depth == nil else { throw .invalid }
            try oxenstoredWatch(path, token: token, caller)
        case .unwatch(let path, let token): try oxenstoredUnwatch(path, token: token, caller)
        case .resetWatches: endWatchesAndTransactions(of: caller.connection)
        case .transactionStart: return try startReplayable(caller)
        default: return try carryOutAdministrative(request)
        }
        return Self.okay
    }

    private func carryOutAdministrative(_ request: Request) throws(StoreErrorCode) -> [UInt8] {
        switch request {
        case .getDomainPath(let domain): return Self.text(StorePath.home(of: domain).text)
        case .isDomainIntroduced(let domain): return Self.text(isIntroduced(domain) ? "T" : "F")
        case .introduce(let domain, let frame, let eventChannel):
            try oxenstoredIntroduce(domain, frame: frame, eventChannel: eventChannel)
        case .release(let domain): try oxenstoredRelease(domain)
        case .resume(let domain):
            guard isIntroduced(domain) else { throw .invalid }
        case .setTarget(let domain, let target):
            guard domains[domain].isIntroduced else { throw .noEntry }
            domains[domain].target = target
            noteDomain(domain)
        default: preconditionFailure("a request that oxenstored does not know")
        }
        return Self.okay
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

    /// Whether a transaction that holds such a request can be carried out again.
    var canBeReplayed: Bool {
        switch self {
        case .directory, .read, .getPermissions, .getDomainPath, .write, .makeDirectory, .remove,
            .setPermissions:
            true
        default: false
        }
    }
}
