import XenstoreProtocol

/// GET_QUOTA, SET_QUOTA and CONTROL.
extension Store {
    /// The names of the quotas; or the value of one, of all domains or of one.
    func quota(_ name: String?, of domain: DomainID?) throws(StoreErrorCode) -> [UInt8] {
        guard let name else {
            return Self.text(Quota.allCases.map(\.rawValue).joined(separator: " "))
        }
        guard let quota = Quota(rawValue: name) else { throw .invalid }
        let own = domain.flatMap { domains[$0].quotas[quota] }
        return Self.text(String(own ?? domains.quotas[quota] ?? 0))
    }

    func setQuota(
        _ name: String,
        to value: UInt32,
        of domain: DomainID?
    ) throws(StoreErrorCode) {
        guard let quota = Quota(rawValue: name) else { throw .invalid }
        if let domain {
            domains[domain].quotas[quota] = value
            noteDomain(domain)
        } else {
            domains.quotas[quota] = value
            note(.quota(quota, value))
        }
    }

    /// Runs a command: `help`, `check` or `quota`.
    func control(_ arguments: [[UInt8]]) throws(StoreErrorCode) -> [UInt8] {
        let words = arguments.map { String(decoding: $0, as: UTF8.self) }
        switch words.first {
        case "help" where words.count == 1:
            return Self.text("check\t\nquota\t[set <name> <val>|<domid>]\nhelp\t\n")
        case "check":
            guard isConsistent else { throw .ioError }
            return Self.okay
        case "quota":
            return try controlQuota(Array(words.dropFirst()))
        default:
            throw .invalid
        }
    }

    private func controlQuota(_ words: [String]) throws(StoreErrorCode) -> [UInt8] {
        switch words.count {
        case 0:
            let lines = Quota.allCases.map { quota in
                Self.line(quota.rawValue, 17, Int(domains.quotas[quota] ?? 0)) + " "
                    + quota.explanation
            }
            return Self.text("Quota settings:\n" + lines.map { $0 + "\n" }.joined())
        case 1:
            guard let domain = DomainID(decimal: words[0].utf8) else { throw .invalid }
            return try usageReport(of: domain)
        case 3 where words[0] == "set":
            guard let value = UInt32(decimal: words[2].utf8), value > 0 else { throw .invalid }
            try setQuota(words[1], to: value, of: nil)
            return Self.okay
        default:
            throw .invalid
        }
    }

    private func usageReport(of domain: DomainID) throws(StoreErrorCode) -> [UInt8] {
        let usage = tree.usage[domain]
        let record = domains[domain]
        guard record.isIntroduced || usage.nodes > 0 else { throw .noEntry }
        let lines = [
            Self.line("nodes", 16, usage.nodes),
            Self.line("watches", 16, record.watches),
            Self.line("transactions", 16, record.transactions),
            Self.line("memory", 16, usage.bytes + record.watchBytes),
        ]
        return Self.text("Domain \(domain):\n" + lines.map { $0 + "\n" }.joined())
    }

    /// A name and a number in columns, as the C daemon prints them.
    private static func line(_ name: String, _ width: Int, _ number: Int) -> String {
        let digits = String(number)
        return name + String(repeating: " ", count: max(0, width - name.utf8.count)) + ": "
            + String(repeating: " ", count: max(0, 8 - digits.utf8.count)) + digits
    }

    /// Whether what is counted along the way is what a walk counts.
    private var isConsistent: Bool {
        var count = 2
        Tree.forEachNode(in: tree.root) { _ in count += 1 }
        return count == tree.usage.nodeCount
    }
}
