/// The state of a store, by the components that own it.
///
/// Whichever daemon a store behaves like, it has the same things to keep. Each component here keeps
/// its own private, and offers operations with names:
///
/// - ``NodeStore``: the tree and the clock of its generations. All changes go through it.
/// - ``DomainAccounts``: domains, quotas, and what each domain takes.
/// - ``WatchTable``: the watches, found by path.
/// - ``ConnectionTable``: the connections, with their transactions.
/// - ``Outbox``: what the message that is being handled has caused so far.
/// - ``Journal``: what has changed and is to be kept beyond the process.
/// - ``StoreLog``: lines for who runs the store.
///
/// What a request means is up to an engine: which checks come in which order, who may do what, when
/// a transaction conflicts, who hears of a change, and when. ``XenstoredEngine`` and
/// ``OxenstoredEngine`` work on the same components, and share no other code. A store chooses one
/// when it is made, and passes it each message. Each engine has parts, which hold only the
/// components that they use:
///
/// | part | C xenstored | oxenstored |
/// |---|---|---|
/// | paths and rights | ``XenstoredAccess`` | ``OxenstoredAccess`` |
/// | nodes | ``XenstoredReading``, ``XenstoredWriting`` | ``OxenstoredNodes`` |
/// | watches and events | ``XenstoredWatches``, ``XenstoredEvents`` | ``OxenstoredWatches`` |
/// | transactions | ``XenstoredTransactions`` | ``OxenstoredTransactions`` |
/// | domains and limits | ``XenstoredDomains``, ``XenstoredLimits`` | ``OxenstoredDomains`` |
/// | CONTROL | ``XenstoredControl`` | ``OxenstoredDomains`` |
struct StoreState {
    /// In what the state of one daemon's store differs from the other's.
    struct Traits {
        /// The nodes that are there at first, parents before their children.
        let firstNodes: [StorePath]
        /// The nodes that are there after a listing has replaced all others, too.
        let permanentNodes: [StorePath]
        /// Bytes that may wait for a guest that has no quota `memory`.
        let eventMemory: Int
    }

    let log = StoreLog()
    let journal = Journal()
    let nodes: NodeStore
    let accounts: DomainAccounts
    let watches = WatchTable()
    let connections: ConnectionTable
    let outbox: Outbox

    init(_ configuration: StoreConfiguration, _ traits: Traits) {
        nodes = NodeStore(traits, journal: journal)
        accounts = DomainAccounts(
            configuration,
            eventMemory: traits.eventMemory,
            nodes: nodes,
            journal: journal,
            log: log
        )
        connections = ConnectionTable(watches: watches, accounts: accounts)
        outbox = Outbox(accounts: accounts)
    }
}
