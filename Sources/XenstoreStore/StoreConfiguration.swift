public import XenstoreProtocol

/// How a store behaves.
public struct StoreConfiguration: Sendable {
    /// The limits of unprivileged domains; those that are missing are off.
    public var quotas: [Quota: UInt32]

    /// The domains besides the privileged one that count as introduced from the start.
    public var introducedDomains: [DomainID]

    /// The C daemon's quotas, and no domain but the privileged one.
    public init(
        quotas: [Quota: UInt32] = Self.defaultQuotas,
        introducedDomains: [DomainID] = []
    ) {
        self.quotas = quotas
        self.introducedDomains = introducedDomains
    }

    /// The quotas that the C daemon starts with.
    public static let defaultQuotas = Dictionary(
        uniqueKeysWithValues: Quota.allCases.map { ($0, $0.defaultValue) }
    )
}
