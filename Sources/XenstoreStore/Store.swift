public import XenstoreProtocol

/// A whole xenstore: a request in, effects out.
///
/// Follows the C daemon of Xen 4.17 in what a client can see, with the watch depths, features and
/// quotas of later ones; or oxenstored. Pure and deterministic: no descriptor, clock or thread; the
/// caller sees to it that one thread at a time uses it. Nothing that a client sends can trap it.
///
/// What it holds is in a ``StoreState``, and what a request does to that is up to an ``Engine``.
public final class Store {
    /// Whose behaviour it has.
    public let compatibility: Compatibility
    private let state: StoreState
    private let engine: Engine

    /// Makes a store that holds what the daemon starts with.
    public init(configuration: StoreConfiguration = StoreConfiguration()) {
        compatibility = configuration.compatibility
        switch compatibility {
        case .xenstored:
            state = StoreState(configuration, XenstoredEngine.traits)
            engine = .xenstored(XenstoredEngine(state))
        case .oxenstored:
            state = StoreState(configuration, OxenstoredEngine.traits)
            engine = .oxenstored(OxenstoredEngine(state))
        }
    }

    // MARK: Counts

    /// How many nodes there are, the root and the two special ones included.
    public var nodeCount: Int { state.nodes.tree.usage.nodeCount }

    /// How many watches there are, of all connections.
    public var watchCount: Int { state.watches.count }

    /// How many transactions are open, on all connections.
    public var transactionCount: Int { state.connections.transactionCount }

    /// How many connections there are.
    public var connectionCount: Int { state.connections.count }

    // MARK: Connections and messages

    /// Opens a connection with the rights of a domain, introduced or not.
    public func connect(as domain: DomainID) -> ConnectionID { state.connections.begin(as: domain) }

    /// Ends a connection, its watches and its transactions. Nothing happens for one that has
    /// ended.
    public func disconnect(_ id: ConnectionID) { state.connections.end(id) }

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
        guard let connection = state.connections[id] else { return }
        state.log.log("in", message, id)
        state.outbox.begin()
        var reply = message
        do throws(StoreErrorCode) {
            try engine.answer(message, connection, into: &reply)
        } catch {
            reply.rawType = MessageType.error.rawValue
            reply.payload = Array(error.name.utf8) + [0]
        }
        state.accounts.checkSoftQuota(of: connection.domain)
        state.accounts.noteUsage(of: connection.domain)
        state.log.log("out", reply, id)
        state.outbox.finish(with: reply, to: id, into: &result)
    }

    // MARK: Domains

    /// Makes a domain count as introduced, as INTRODUCE does. No event is sent: it is for the
    /// domains that are there before any client.
    public func introduce(_ domain: DomainID) { state.accounts.introduce(domain) }

    /// How many answers a connection of a domain may leave untaken before it is not listened to.
    /// Nil for no limit.
    func outstandingLimit(of domain: DomainID) -> Int? {
        state.accounts.limit(.outstanding, of: domain)
    }

    /// Counts answers that wait for a domain, or no longer do where negative.
    func countOutstanding(_ difference: Int, of domain: DomainID) {
        state.accounts.countOutstanding(difference, of: domain)
    }

    /// Counts bytes that wait for a domain, or no longer do where negative.
    func countWaiting(_ difference: Int, of domain: DomainID) {
        state.accounts.countWaiting(difference, of: domain)
    }

    /// Whether an unprivileged domain takes all that its quota `memory` allows.
    func isMemoryTaken(by domain: DomainID) -> Bool { state.accounts.isMemoryTaken(by: domain) }

    // MARK: Lines for who runs it

    /// Where lines for who runs the store go: CONTROL `print`, `memreport` and `log`, and domains
    /// above their soft quotas. Nowhere at first.
    public var report: ((String) -> Void)? {
        get { state.log.report }
        set { state.log.report = newValue }
    }

    /// Opens a file for CONTROL `logfile` and `memreport`, to append to: gives what takes its
    /// lines, or nil where it cannot be had. Without this both commands are refused a file.
    public var openReport: ((_ path: String) -> ((String) -> Void)?)? {
        get { state.log.openReport }
        set { state.log.openReport = newValue }
    }

    // MARK: Filling and listing

    /// Replaces all nodes by those of a listing, in its order; a parent that it lacks is made with
    /// its own parent's permissions. Open transactions that read anything will conflict.
    ///
    /// No event is sent: fill a store before clients connect. Permissions of the special paths
    /// stay.
    public func replaceContents(with listing: StoreListing) {
        state.nodes.replaceContents(with: listing)
    }

    /// All nodes below the root, as `xenstore-ls -fp` lists them for the privileged domain.
    public var contents: StoreListing { state.nodes.contents }

    // MARK: What is kept beyond its process

    /// Whether changes are kept for ``takeJournal()``: those of nodes, permissions, domains and
    /// quotas. Watches and transactions end with their connections. Off at first.
    public var keepsJournal: Bool {
        get { state.journal.isKept }
        set { state.journal.isKept = newValue }
    }

    /// Whether anything has changed since ``takeJournal()``.
    public var hasJournal: Bool { !state.journal.isEmpty }

    /// What has changed since the last call, as bytes for ``replay(_:)``. Empty unless
    /// ``keepsJournal`` is set.
    ///
    /// All that one message changes is in one record, so if records are kept whole, transactions
    /// are, too.
    public func takeJournal() -> [UInt8] { state.journal.takeAll() }

    /// Makes the changes of a record again. No event is sent.
    ///
    /// - Throws: ``JournalError`` where the record does not follow from what the store holds; the
    ///   store is of no use then.
    public func replay(_ record: ArraySlice<UInt8>) throws(JournalError) {
        try JournalReplay(state).replay(record)
    }

    /// Makes the changes of a record again as far as they can be made, where one before it is
    /// missing: nodes above others that are not there are made for the privileged domain alone.
    ///
    /// - Returns: how many changes could not be made.
    public func salvage(_ record: ArraySlice<UInt8>) -> Int { JournalReplay(state).salvage(record) }

    /// Becomes a store of the same content as another, without its clients.
    public func become(_ other: Store) {
        state.nodes.become(other.state.nodes)
        state.accounts.become(other.state.accounts)
    }

    /// All that the store holds now, as records which make it again in any other store.
    public func snapshot() -> StoreSnapshot { StoreSnapshot(of: state) }
}
