public import XenstoreProtocol

/// How a store behaves.
public struct StoreConfiguration: Sendable {
    /// Whose behaviour it has.
    public var compatibility: Compatibility

    /// The limits of unprivileged domains; those that are missing are off.
    public var quotas: [Quota: UInt32]

    /// The domains besides the privileged one that count as introduced from the start.
    public var introducedDomains: [DomainID]

    /// The C daemon's behaviour, the daemon's quotas unless others are given, and no domain but the
    /// privileged one.
    public init(
        compatibility: Compatibility = .xenstored,
        quotas: [Quota: UInt32]? = nil,
        introducedDomains: [DomainID] = []
    ) {
        self.compatibility = compatibility
        self.quotas = quotas ?? compatibility.defaultQuotas
        self.introducedDomains = introducedDomains
    }

    /// The quotas that the C daemon starts with.
    public static let defaultQuotas = Dictionary(
        uniqueKeysWithValues: Quota.allCases.map { ($0, $0.defaultValue) }
    )
}
