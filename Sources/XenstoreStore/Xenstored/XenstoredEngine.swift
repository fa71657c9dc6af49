import XenstoreProtocol

/// How C xenstored answers.
final class XenstoredEngine {
    /// What its store starts with.
    static let traits = StoreState.Traits(
        firstNodes: [StorePath(text: "/tool"), StorePath(text: "/tool/xenstored")],
        permanentNodes: [],
        eventMemory: .max
    )

    private let accounts: DomainAccounts
    private let connections: ConnectionTable
    private let reading: XenstoredReading
    private let writing: XenstoredWriting
    private let watches: XenstoredWatches
    private let transactions: XenstoredTransactions
    private let domains: XenstoredDomains
    private let limits: XenstoredLimits
    private let control: XenstoredControl

    init(_ state: StoreState) {
        let access = XenstoredAccess(state)
        let events = XenstoredEvents(state, access)
        accounts = state.accounts
        connections = state.connections
        reading = XenstoredReading(state, access)
        writing = XenstoredWriting(state, access, events)
        watches = XenstoredWatches(state, access)
        transactions = XenstoredTransactions(state, events)
        domains = XenstoredDomains(state, writing, events)
        limits = XenstoredLimits(state)
        control = XenstoredControl(state, limits)
    }

    /// Handles a message, and fills in its reply.
    func answer(
        _ message: Message,
        _ connection: Connection,
        into reply: inout Message
    ) throws(StoreErrorCode) {
        reply.payload = try payload(answering: message, connection)
        // A reply is bound like a request; DIRECTORY_PART is for what does not fit.
        guard reply.payload.count <= ProtocolLimits.payloadSize else { throw .tooBig }
    }

    /// The payload of the reply. The order of the checks is the C daemon's: what is asked, whether
    /// the domain may, whether there is such a transaction, and only then how it is asked.
    private func payload(
        answering message: Message,
        _ connection: Connection
    ) throws(StoreErrorCode) -> [UInt8] {
        guard let type = message.type, !type.isFromServerOnly else { throw .notImplemented }
        guard connection.isPrivileged || !type.isForPrivileged else { throw .accessDenied }
        guard message.payload.count <= ProtocolLimits.payloadSize else { throw .invalid }
        var transaction: Transaction?
        if message.transactionID != .none, !message.isOutsideTransactions {
            transaction = connection.transactions[message.transactionID]
            guard transaction != nil else { throw .noEntry }
        }
        let caller = Caller(connection: connection, transaction: transaction)
        let request = try Request(message)
        if case .transactionEnd(let commit) = request {
            return try transactions.end(message.transactionID, commit: commit, caller)
        }
        return try answer(request, caller)
    }

    private func answer(_ request: Request, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        switch request {
        case .read(let path): return try reading.read(path, caller)
        case .directory(let path): return try reading.directory(path, caller)
        case .directoryPart(let path, let offset):
            return try reading.directoryPart(path, offset: offset, caller)
        case .getPermissions(let path): return try reading.permissions(of: path, caller)
        case .write(let path, let value): try writing.write(value, to: path, caller)
        case .makeDirectory(let path): try writing.makeDirectory(path, caller)
        case .remove(let path): try writing.remove(path, caller)
        case .setPermissions(let path, let permissions):
            try writing.setPermissions(permissions, of: path, caller)
        case .watch(let path, let token, let depth):
            try watches.watch(path, token: token, depth: depth, caller)
        case .unwatch(let path, let token): try watches.unwatch(path, token: token, caller)
        case .resetWatches: connections.endWatchesAndTransactions(of: caller.connection)
        case .transactionStart: return try transactions.start(caller)
        case .transactionEnd:
            preconditionFailure("the end of a transaction is answered before")
        default: return try answerAdministrative(request, caller)
        }
        return Reply.okay
    }

    private func answerAdministrative(
        _ request: Request,
        _ caller: Caller
    ) throws(StoreErrorCode) -> [UInt8] {
        switch request {
        case .control(let arguments): return try control.run(arguments)
        case .getDomainPath(let domain): return Reply.text(StorePath.home(of: domain).text)
        case .isDomainIntroduced(let domain):
            return Reply.text(accounts.isIntroduced(domain) ? "T" : "F")
        case .introduce(let domain, _, let eventChannel):
            try domains.introduce(domain, eventChannel: eventChannel)
        case .release(let domain): try domains.release(domain)
        case .resume(let domain): try domains.resume(domain)
        case .setTarget(let domain, let target): try domains.setTarget(domain, target)
        case .restrict(let domain): try domains.restrict(to: domain, caller)
        case .getFeature(let domain): return try limits.features(of: domain, caller)
        case .setFeature(let domain, let features): try limits.setFeatures(features, of: domain)
        case .getQuota(let domain, let name): return try limits.quota(name, of: domain)
        case .setQuota(let domain, let name, let value):
            try limits.setQuota(name, to: value, of: domain)
        default:
            preconditionFailure("a request about nodes among those about domains")
        }
        return Reply.okay
    }
}

extension MessageType {
    /// Whether only the privileged domain may send it.
    fileprivate var isForPrivileged: Bool {
        switch self {
        case .control, .introduce, .release, .isDomainIntroduced, .resume, .setTarget, .restrict,
            .setFeature, .getQuota, .setQuota:
            true
        default:
            false
        }
    }
}
