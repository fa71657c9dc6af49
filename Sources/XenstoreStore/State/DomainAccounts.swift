import XenstoreProtocol

/// The domains: what the store knows of each, what they may take, and what they have.
///
/// What a domain owns in nodes is counted by the tree; all else is counted here.
final class DomainAccounts {
    private let nodes: NodeStore
    private let journal: Journal
    private let log: StoreLog
    /// Bytes that may wait for a guest where it has no quota `memory`.
    private let eventMemory: Int
    private var table: DomainTable
    private var highest = HighestUsage()

    init(
        _ configuration: StoreConfiguration,
        eventMemory: Int,
        nodes: NodeStore,
        journal: Journal,
        log: StoreLog
    ) {
        table = DomainTable(configuration)
        self.eventMemory = eventMemory
        self.nodes = nodes
        self.journal = journal
        self.log = log
    }

    // MARK: What is known of a domain

    subscript(domain: DomainID) -> DomainTable.Domain { table[domain] }

    /// The domains that the store knows anything of, or that own a node.
    var all: Set<DomainID> { Set(nodes.tree.usage.domains).union(table.all.keys) }

    func isIntroduced(_ domain: DomainID) -> Bool {
        domain == .myself || table[domain].isIntroduced
    }

    /// Whether a connection has the rights of a domain: its own, or those of its target.
    func stands(_ connection: Connection, for domain: DomainID) -> Bool {
        connection.domain == domain || table[connection.domain].target == domain
    }

    /// The features that a domain may use.
    func features(of domain: DomainID) -> UInt32 { table[domain].features ?? ServerFeature.all }

    func introduce(_ domain: DomainID) {
        table[domain].isIntroduced = true
        noteDomain(domain)
    }

    func setTarget(_ target: DomainID, of domain: DomainID) {
        table[domain].target = target
        noteDomain(domain)
    }

    func setFeatures(_ features: UInt32, of domain: DomainID) {
        table[domain].features = features
        noteDomain(domain)
    }

    /// Removes all that is known of a domain. Nothing is noted of it: the journal has an entry
    /// for a domain that is forgotten, which comes when its nodes are gone, too.
    func remove(_ domain: DomainID) { table.remove(domain) }

    private func noteDomain(_ domain: DomainID) {
        journal.note(.domain(domain, table[domain]))
    }

    // MARK: Quotas

    /// The limit of a domain; nil if there is none.
    func limit(_ quota: Quota, of domain: DomainID) -> Int? { table.limit(quota, of: domain) }

    /// The limit of the domains that have none of their own: zero or nil if there is none.
    func quota(_ quota: Quota) -> UInt32? { table.quotas[quota] }

    /// Limits one domain, or all that have no limit of their own.
    func setQuota(_ quota: Quota, to value: UInt32, of domain: DomainID?) {
        if let domain {
            table[domain].quotas[quota] = value
            noteDomain(domain)
        } else {
            table.setQuota(quota, to: value)
            journal.note(.quota(quota, value))
        }
    }

    /// Takes note of the length of a caller's path.
    ///
    /// - Throws: ``StoreErrorCode/invalid`` beyond the quota `path-max`.
    func checkLength(of path: StorePath, _ caller: Caller) throws(StoreErrorCode) {
        if !caller.isPrivileged {
            highest.note(.pathLength, path.lengthBelowHome, of: caller.domain)
        }
        // Unlike the other quotas this one binds the privileged domain too.
        // The length of the whole path is known at once, and mostly decides.
        if let limit = table.quotas[.pathLength], limit > 0,
            path.text.utf8.count > Int(limit), path.lengthBelowHome > Int(limit)
        {
            throw .invalid
        }
    }

    // MARK: Counts

    func countWatch(_ watch: Watch, of domain: DomainID, by difference: Int) {
        table.countWatch(watch, of: domain, by: difference)
    }

    /// Counts transactions that were opened, or ended where negative.
    func countTransactions(_ difference: Int, of domain: DomainID) {
        table[domain].transactions += difference
    }

    /// Counts answers that wait for a domain, or no longer do where negative.
    func countOutstanding(_ difference: Int, of domain: DomainID) {
        table[domain].outstanding += difference
        highest.note(.outstanding, table[domain].outstanding, of: domain)
    }

    /// Counts bytes that wait for a domain, or no longer do where negative.
    func countWaiting(_ difference: Int, of domain: DomainID) {
        table[domain].waitingBytes += difference
    }

    // MARK: Memory

    /// The bytes that the quota `memory` counts.
    func memory(of domain: DomainID) -> Int {
        nodes.tree.usage[domain].bytes + table[domain].besideNodes
    }

    /// Whether an unprivileged domain takes all that its quota `memory` allows.
    func isMemoryTaken(by domain: DomainID) -> Bool {
        guard let limit = limit(.memory, of: domain) else { return false }
        return memory(of: domain) >= limit
    }

    /// The bytes that the events of one request may take for a domain.
    func roomForEvents(of domain: DomainID) -> Int {
        guard domain != .privileged else { return .max }
        return (limit(.memory, of: domain) ?? eventMemory) - memory(of: domain)
    }

    /// Reports once that a domain has no room for its events.
    func reportFull(_ domain: DomainID) {
        guard let report = log.report, !table[domain].isReportedFull else { return }
        table[domain].isReportedFull = true
        report("domain \(domain) does not take its events: its quota of memory is used up")
    }

    /// Reports once that an unprivileged domain takes more than its soft quota of memory, and once
    /// that it does no longer, at the domain's next request.
    func checkSoftQuota(of domain: DomainID) {
        guard let report = log.report, domain != .privileged else { return }
        let isAbove = memory(of: domain) >= limit(.softMemory, of: domain) ?? .max
        guard isAbove != table[domain].isAboveSoftQuota else { return }
        table[domain].isAboveSoftQuota = isAbove
        report(
            isAbove
                ? "domain \(domain) exceeds its soft quota of memory"
                : "domain \(domain) is below its soft quota of memory again"
        )
    }

    // MARK: The most that was taken

    /// The most of a quota that any unprivileged domain has taken at a time.
    func highest(_ quota: Quota) -> Int { highest[quota] }

    func resetHighest() { highest = HighestUsage() }

    func noteHighest(_ quota: Quota, _ value: Int, of domain: DomainID) {
        highest.note(quota, value, of: domain)
    }

    /// Takes into account what a domain has now. What others change for it counts from its next
    /// request on.
    func noteUsage(of domain: DomainID) {
        guard domain != .privileged else { return }
        let usage = nodes.tree.usage[domain]
        let record = table[domain]
        highest.note(.nodes, usage.nodes, of: domain)
        highest.note(.memory, usage.bytes + record.besideNodes, of: domain)
        highest.note(.watches, record.watches, of: domain)
        highest.note(.transactions, record.transactions, of: domain)
        highest.note(.outstanding, record.outstanding, of: domain)
    }

    // MARK: What is kept beyond the process

    /// What makes the quotas and domains again.
    var entries: [JournalEntry] {
        table.quotas.map { .quota($0, $1) } + table.all.map { .domain($0, $1) }
    }

    /// Takes over what another store knows.
    func become(_ other: DomainAccounts) { table = other.table }

    /// Knows nothing any more but the daemon's quotas and the privileged domain.
    func clear() { table = DomainTable(StoreConfiguration()) }

    /// Makes a change of a domain again. Nothing is noted of it.
    func replay(_ state: DomainTable.Domain, of domain: DomainID) { table[domain] = state }

    /// Makes a change of a quota again. Nothing is noted of it.
    func replay(_ quota: Quota, _ value: UInt32) { table.setQuota(quota, to: value) }
}
