import XenstoreProtocol

/// What the store knows of domains besides the nodes that they own.
struct DomainTable {
    struct Domain {
        var isIntroduced = false
        /// The domain whose rights it also has: it is the stub domain of that one.
        var target: DomainID?
        /// The features that it may use; nil for all.
        var features: UInt32?
        var quotas: [Quota: UInt32] = [:]
        var watches = 0
        var watchBytes = 0
        var transactions = 0
        /// Answers that it has not taken yet.
        var outstanding = 0
        /// Bytes of answers and events that wait for it.
        var waitingBytes = 0
        var isAboveSoftQuota = false
        /// Whether it was reported that events of it are dropped.
        var isReportedFull = false

        /// Bytes that the quota `memory` counts besides those of its nodes.
        var besideNodes: Int { watchBytes + waitingBytes }

        fileprivate var isDefault: Bool {
            !isIntroduced && target == nil && features == nil && quotas.isEmpty && watches == 0
                && watchBytes == 0 && transactions == 0 && outstanding == 0 && waitingBytes == 0
                && !isAboveSoftQuota && !isReportedFull
        }
    }

    /// The domains that differ in anything from one that was never heard of.
    var all: [DomainID: Domain] { domains }

    private var domains: [DomainID: Domain] = [:]
    /// The limits of all domains that have none of their own.
    private(set) var quotas: [Quota: UInt32]

    init(_ configuration: StoreConfiguration) {
        quotas = configuration.quotas
        for domain in [.privileged] + configuration.introducedDomains {
            domains[domain, default: Domain()].isIntroduced = true
        }
    }

    subscript(domain: DomainID) -> Domain {
        get { domains[domain] ?? Domain() }
        set { domains[domain] = newValue.isDefault ? nil : newValue }
    }

    /// Sets the limit of all domains that have none of their own.
    mutating func setQuota(_ quota: Quota, to value: UInt32) { quotas[quota] = value }

    mutating func remove(_ domain: DomainID) {
        domains[domain] = nil
        for (other, record) in domains where record.target == domain {
            self[other].target = nil
        }
    }

    /// The limit of a domain; nil if there is none.
    func limit(_ quota: Quota, of domain: DomainID) -> Int? {
        guard domain != .privileged else { return nil }
        guard let value = self[domain].quotas[quota] ?? quotas[quota], value > 0 else { return nil }
        return Int(value)
    }

    mutating func countWatch(_ watch: Watch, of domain: DomainID, by difference: Int) {
        self[domain].watches += difference
        self[domain].watchBytes += difference * watch.size
    }
}

/// The features of the server that a client may use: bits of GET_FEATURE.
enum ServerFeature {
    /// WATCH takes a depth, and special watches tell the domain.
    static let watchDepth: UInt32 = 4
    /// ``DomainID/any`` in permissions stands for every domain.
    static let anyDomain: UInt32 = 8
    static let all = watchDepth | anyDomain
}

extension DomainID {
    /// In an entry of permissions: every domain (`DOMID_ANY`).
    static let any = DomainID(0x7FF4)
    /// The caller's own domain (`DOMID_SELF`).
    static let myself = DomainID(0x7FF0)
}
