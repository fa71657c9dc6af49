import XenstoreProtocol

/// The most of each quota that any unprivileged domain has taken at a time.
struct HighestUsage {
    private var values: [Quota: Int] = [:]

    subscript(quota: Quota) -> Int { values[quota] ?? 0 }

    mutating func note(_ quota: Quota, _ value: Int, of domain: DomainID) {
        guard domain != .privileged, value > self[quota] else { return }
        values[quota] = value
    }
}

extension Store {
    /// Takes into account what a domain has now. What others change for it counts from its next
    /// request on.
    func noteUsage(of domain: DomainID) {
        guard domain != .privileged else { return }
        let usage = tree.usage[domain]
        let record = domains[domain]
        highest.note(.nodes, usage.nodes, of: domain)
        highest.note(.memory, usage.bytes + record.besideNodes, of: domain)
        highest.note(.watches, record.watches, of: domain)
        highest.note(.transactions, record.transactions, of: domain)
        highest.note(.outstanding, record.outstanding, of: domain)
    }

    /// What CONTROL `quota max` tells.
    func highestUsageReport(reset: Bool) -> [UInt8] {
        if reset { highest = HighestUsage() }
        for domain in Set(tree.usage.domains).union(domains.all.keys) {
            noteUsage(of: domain)
        }
        let lines = Quota.allCases.filter { $0 != .softMemory }.map { quota in
            Self.line(quota.rawValue, 17, highest[quota]) + "\n"
        }
        return Self.text("Max. seen accounting values:\n" + lines.joined())
    }
}
