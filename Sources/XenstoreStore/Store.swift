public import XenstoreProtocol

/// A whole xenstore: a request in, effects out.
///
/// Follows the C daemon of Xen 4.17 in what a client can see, with the watch depths, features and
/// quotas of later ones. Pure and deterministic: no descriptor, clock or thread; the caller sees to
/// it that one thread at a time uses it. Nothing that a client sends can trap it.
public final class Store {
    /// Whose behaviour it has.
    public let compatibility: Compatibility
    var tree: Tree
    var clock = GenerationClock()
    var watches = WatchTable()
    var domains: DomainTable
    var connections: [ConnectionID: Connection] = [:]
    /// What the message that is being handled has caused so far.
    var effects: [StoreEffect] = []
    /// What is to follow the reply: the first event of a new watch.
    var effectsAfterReply: [StoreEffect] = []
    /// Where lines for whoever runs the store go: CONTROL `print`, `memreport` and `log`, and
    /// domains above their soft quotas. Nowhere at first.
    public var report: ((String) -> Void)?
    /// Opens a file for CONTROL `logfile` and `memreport`, to append to: gives what takes its
    /// lines, or nil where it cannot be had. Without this both commands are refused a file.
    public var openReport: ((_ path: String) -> ((String) -> Void)?)?
    /// Where the log goes instead, once `logfile` has named a file.
    var logFile: ((String) -> Void)?
    var isLogging = false
    /// Requests that were handled, this one included.
    var requestCount: UInt64 = 0
    /// Bytes of the events for guests that the message that is being handled has caused.
    var effectBytes: [DomainID: Int] = [:]
    var highest = HighestUsage()
    /// Whether changes are kept for ``takeJournal()``. Off at first.
    public var keepsJournal = false
    var record = JournalEncoder()
    /// Where oxenstored found the rings of introduced domains.
    var ringFrames: [DomainID: Int64] = [:]
    var listingCache: (generation: UInt64, names: [UInt8])?
    private var lastConnection: UInt64 = 0

    /// Makes a store that holds what the daemon starts with.
    public init(configuration: StoreConfiguration = StoreConfiguration()) {
        compatibility = configuration.compatibility
        tree = Tree(clock: &clock)
        domains = DomainTable(configuration)
        for path in ["/tool", "/tool/xenstored"] { createFirst(path) }
        if compatibility == .oxenstored { createFirst("/local") }
        createNodesOfSpecialPaths()
    }

    /// In oxenstored the special paths are nodes like any others, below the root.
    func createNodesOfSpecialPaths() {
        guard compatibility == .oxenstored else { return }
        for path in [StorePath.introduceDomain, .releaseDomain] {
            let path = StorePath.root.appending(path.text)
            if tree.node(at: path) == nil { createFirst(path.text) }
        }
    }

    private func createFirst(_ path: String) {
        let permissions = Permissions(owner: .privileged)
        tree.create(StorePath(text: path), value: [], permissions: permissions, clock: &clock)
    }

    /// How many nodes there are, the root and the two special ones included.
    public var nodeCount: Int { tree.usage.nodeCount }

    /// How many watches there are, of all connections.
    public var watchCount: Int { watches.count }

    /// How many transactions are open, on all connections.
    public var transactionCount: Int {
        connections.values.reduce(0) { $0 + $1.transactions.count }
    }

    /// How many connections there are.
    public var connectionCount: Int { connections.count }

    /// Opens a connection with the rights of a domain, introduced or not.
    public func connect(as domain: DomainID) -> ConnectionID {
        lastConnection += 1
        let id = ConnectionID(rawValue: lastConnection)
        connections[id] = Connection(id: id, domain: domain)
        return id
    }

    /// Ends a connection, its watches and its transactions. Nothing happens for one that has
    /// ended.
    public func disconnect(_ id: ConnectionID) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        endWatchesAndTransactions(of: connection)
    }

    /// Handles a message and returns what it causes.
    public func handle(_ message: Message, from id: ConnectionID) -> [StoreEffect] {
        var effects: [StoreEffect] = []
        handle(message, from: id, into: &effects)
        return effects
    }

    /// Handles a message and appends what it causes: always one reply to the sender, and events to
    /// anyone. Events of a change go before its reply, as the C daemon sends them.
    ///
    /// A message from a connection that has ended is ignored: it crossed the end on its way.
    public func handle(
        _ message: Message,
        from id: ConnectionID,
        into result: inout [StoreEffect]
    ) {
        guard let connection = connections[id] else { return }
        log("in", message, id)
        requestCount += 1
        var reply = message
        do throws(StoreErrorCode) {
            switch compatibility {
            case .xenstored: reply.payload = try answer(message, connection)
            case .oxenstored:
                if message.isOutsideTransactions { reply.transactionID = .none }
                reply.payload = try answerAsOxenstored(message, connection)
            }
            // A reply is bound like a request; DIRECTORY_PART is for what does not fit.
            guard reply.payload.count <= payloadLimit(of: connection) else { throw .tooBig }
        } catch {
            reply.rawType = MessageType.error.rawValue
            reply.payload = Array(error.name.utf8) + [0]
        }
        checkSoftQuota(of: connection.domain)
        noteUsage(of: connection.domain)
        log("out", reply, id)
        result.append(contentsOf: effects)
        result.append(.send(reply, to: id))
        result.append(contentsOf: effectsAfterReply)
        effects.removeAll(keepingCapacity: true)
        effectsAfterReply.removeAll(keepingCapacity: true)
        if !effectBytes.isEmpty { effectBytes.removeAll(keepingCapacity: true) }
    }

    /// The payload of the reply. The order of the checks is the C daemon's: what is asked, whether
    /// the domain may, whether there is such a transaction, and only then how it is asked.
    private func answer(
        _ message: Message,
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
            return try endTransaction(message.transactionID, commit: commit, caller)
        }
        return try answer(request, caller)
    }

    private func answer(_ request: Request, _ caller: Caller) throws(StoreErrorCode) -> [UInt8] {
        switch request {
        case .read(let path): return try read(path, caller)
        case .directory(let path): return try directory(path, caller)
        case .directoryPart(let path, let offset):
            return try directoryPart(path, offset: offset, caller)
        case .getPermissions(let path): return try permissions(of: path, caller)
        case .write(let path, let value): try write(value, to: path, caller)
        case .makeDirectory(let path): try makeDirectory(path, caller)
        case .remove(let path): try remove(path, caller)
        case .setPermissions(let path, let permissions):
            try setPermissions(permissions, of: path, caller)
        case .watch(let path, let token, let depth):
            try watch(path, token: token, depth: depth, caller)
        case .unwatch(let path, let token): try unwatch(path, token: token, caller)
        case .resetWatches: endWatchesAndTransactions(of: caller.connection)
        case .transactionStart: return try startTransaction(caller)
        case .transactionEnd:
            preconditionFailure("the end of a transaction is answered before")
        default: return try answerAdministrative(request, caller)
        }
        return Self.okay
    }

    /// Bytes that a reply may have.
    func payloadLimit(of connection: Connection) -> Int {
        // oxenstored sends the privileged domain's sockets whole lists, however long.
        compatibility == .oxenstored && connection.domain == .privileged
            ? ProtocolLimits.oversizedListing : ProtocolLimits.payloadSize
    }

    private func answerAdministrative(
        _ request: Request,
        _ caller: Caller
    ) throws(StoreErrorCode) -> [UInt8] {
        switch request {
        case .control(let arguments): return try control(arguments)
        case .getDomainPath(let domain): return Self.text(StorePath.home(of: domain).text)
        case .isDomainIntroduced(let domain): return Self.text(isIntroduced(domain) ? "T" : "F")
        case .introduce(let domain, _, let eventChannel):
            try introduce(domain, eventChannel: eventChannel)
        case .release(let domain): try release(domain)
        case .resume(let domain): try resume(domain)
        case .setTarget(let domain, let target): try setTarget(domain, target)
        case .restrict(let domain): try restrict(to: domain, caller)
        case .getFeature(let domain): return try features(of: domain, caller)
        case .setFeature(let domain, let features): try setFeatures(features, of: domain)
        case .getQuota(let domain, let name): return try quota(name, of: domain)
        case .setQuota(let domain, let name, let value):
            try setQuota(name, to: value, of: domain)
        default:
            preconditionFailure("a request about nodes among those about domains")
        }
        return Self.okay
    }

    static let okay = text("OK")

    /// A text as replies hold it, with the NUL that ends it.
    static func text(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }
}

extension Message {
    /// Whether the transaction that it names does not matter.
    var isOutsideTransactions: Bool { type == .watch || type == .unwatch }
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
