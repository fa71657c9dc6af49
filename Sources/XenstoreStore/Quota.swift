import XenstoreProtocol

/// A limit on what an unprivileged domain may take of the store. The C daemon's names; zero
/// switches a limit off.
public enum Quota: String, CaseIterable, Sendable {
    /// Nodes that a domain owns.
    case nodes
    /// Watches of a domain.
    case watches
    /// Requests of a connection whose answers it has not taken yet: then it is not listened to. The
    /// owner of the sockets keeps it, as a store answers at once.
    case outstanding
    /// Bytes of nodes and watches of a domain.
    case memory
    /// The same, but all that happens beyond is that ``Store/report`` is told.
    case softMemory = "soft-memory"
    /// Open transactions of a domain.
    case transactions
    /// Nodes that one transaction may read or change.
    case transactionNodes = "transaction-nodes"
    /// Entries in the permissions of a node.
    case nodePermissions = "node-permissions"
    /// Bytes of a path, without the prefix `/local/domain/<number>/`. It holds for all callers.
    case pathLength = "path-max"
    /// Bytes of a node: its value, the names of its children, its permissions and a header.
    case nodeSize = "node-size"

    /// The value that the C daemon starts with.
    public var defaultValue: UInt32 {
        switch self {
        case .nodes: 1000
        case .watches: 128
        case .outstanding: 20
        case .memory: 2560 * 1024
        case .softMemory: 2048 * 1024
        case .transactions: 10
        case .transactionNodes: 1024
        case .nodePermissions: 5
        case .pathLength: UInt32(ProtocolLimits.relativePathSize)
        case .nodeSize: 2048
        }
    }

    /// What the quota counts, as CONTROL `quota` prints it.
    var explanation: String {
        switch self {
        case .nodes: "Nodes per domain"
        case .watches: "Watches per domain"
        case .outstanding: "Outstanding requests per domain"
        case .memory, .softMemory: "Total Xenstore memory per domain"
        case .transactions: "Transactions per domain"
        case .transactionNodes: "Max. number of accessed nodes per transaction"
        case .nodePermissions: "Max. number of permissions per node"
        case .pathLength: "Max. length of a node path"
        case .nodeSize: "Max. size of a node"
        }
    }
}
