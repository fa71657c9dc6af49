/// Which of Xen's daemons a store behaves like, where the two differ in what a client can see.
public enum Compatibility: String, CaseIterable, Sendable {
    /// C xenstored, with the depths of watches, features and quotas of its later versions.
    case xenstored = "c"
    /// oxenstored.
    case oxenstored

    /// The quotas that the daemon starts with, oxenstored by the configuration that Debian ships.
    public var defaultQuotas: [Quota: UInt32] {
        switch self {
        case .xenstored: StoreConfiguration.defaultQuotas
        case .oxenstored:
            [
                .nodes: 1000, .watches: 100, .transactions: 10, .transactionNodes: 1024,
                .pathLength: 1024, .nodeSize: 2048,
            ]
        }
    }
}
