import XenstoreProtocol

/// What domains own: nodes and their bytes. Negative where it is a difference.
struct UsageTable {
    struct Usage: Equatable {
        var nodes = 0
        var bytes = 0

        static func + (left: Usage, right: Usage) -> Usage {
            Usage(nodes: left.nodes + right.nodes, bytes: left.bytes + right.bytes)
        }
    }

    private var usages: [DomainID: Usage] = [:]

    subscript(domain: DomainID) -> Usage { usages[domain] ?? Usage() }

    /// The nodes of all domains.
    var nodeCount: Int { usages.values.reduce(0) { $0 + $1.nodes } }

    /// The domains that own anything.
    var domains: some Collection<DomainID> { usages.keys }

    mutating func add(_ node: Node) {
        change(node.permissions.owner, Usage(nodes: 1, bytes: Self.bytes(node)))
    }

    mutating func subtract(_ node: Node) {
        change(node.permissions.owner, Usage(nodes: -1, bytes: -Self.bytes(node)))
    }

    /// Counts that a node of a domain has grown, or shrunk where negative.
    mutating func addBytes(_ growth: Int, of domain: DomainID) {
        if growth != 0 { change(domain, Usage(bytes: growth)) }
    }

    mutating func merge(_ other: UsageTable) {
        for (domain, usage) in other.usages { change(domain, usage) }
    }

    private static func bytes(_ node: Node) -> Int { node.measure.size + node.nameLength }

    private mutating func change(_ domain: DomainID, _ difference: Usage) {
        let usage = usages[domain, default: Usage()] + difference
        // No entry for nothing, or a client that gives nodes to ever other domains would fill
        // the memory.
        usages[domain] = usage == Usage() ? nil : usage
    }
}
