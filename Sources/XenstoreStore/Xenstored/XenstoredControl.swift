import XenstoreProtocol

/// CONTROL: commands for the store itself, in the words of C xenstored.
///
/// `live-update` is not there: a store has no program to become.
extension Store {
    private static let help = """
        check\t
        log\ton|off
        logfile\t<file>
        memreport\t[<file>]
        print\t<string>
        quota\t[set <name> <val>|<domid>|max [-r]]
        quota-soft\t[set <name> <val>]
        help\t

        """

    /// Runs a command.
    ///
    /// - Throws: ``StoreErrorCode/invalid`` for one that it does not know, or with other arguments.
    func control(_ arguments: [[UInt8]]) throws(StoreErrorCode) -> [UInt8] {
        let words = arguments.map { String(decoding: $0, as: UTF8.self) }
        let parameters = Array(words.dropFirst())
        switch (words.first, parameters.count) {
        case ("help", 0): return Self.text(Self.help)
        case ("check", 0):
            guard isConsistent else { throw .ioError }
            return Self.okay
        case ("log", 0...1): return try controlLog(parameters.first)
        case ("logfile", 1):
            logFile = try opened(parameters[0])
            isLogging = true
            return Self.okay
        case ("memreport", 0...1):
            guard let place = try parameters.first.map(opened) ?? logFile ?? report else {
                throw .invalid
            }
            reportMemory(place)
            return Self.okay
        case ("print", 1):
            report?("control: \(parameters[0])")
            return Self.okay
        case ("quota", _): return try controlQuota(parameters)
        case ("quota-soft", 0): return settings([.softMemory])
        case ("quota-soft", 3) where parameters[0] == "set":
            guard parameters[1] == Quota.memory.rawValue else { throw .invalid }
            return try set(.softMemory, parameters[2])
        default: throw .invalid
        }
    }

    /// Opens a file of the one who runs the store.
    private func opened(_ path: String) throws(StoreErrorCode) -> (String) -> Void {
        guard let place = openReport?(path) else { throw .invalid }
        return place
    }

    private func controlLog(_ word: String?) throws(StoreErrorCode) -> [UInt8] {
        switch word {
        case nil: return Self.text("Log switch settings:\nio      : \(isLogging ? "on" : "off")\n")
        case "on", "+io": isLogging = true
        case "off", "-io": isLogging = false
        default: throw .invalid
        }
        return Self.okay
    }

    private func reportMemory(_ report: (String) -> Void) {
        report("memory: \(connectionCount) connections, \(transactionCount) transactions")
        for domain in Set(tree.usage.domains).union(domains.all.keys).sorted() {
            let usage = tree.usage[domain]
            let record = domains[domain]
            report(
                "memory: domain \(domain): \(usage.bytes) bytes in \(usage.nodes) nodes, "
                    + "\(record.watchBytes) in \(record.watches) watches"
            )
        }
    }

    private func controlQuota(_ words: [String]) throws(StoreErrorCode) -> [UInt8] {
        switch words.count {
        case 1 where words[0] == "max": return highestUsageReport(reset: false)
        case 2 where words == ["max", "-r"]: return highestUsageReport(reset: true)
        case 0: return settings(Quota.allCases.filter { $0 != .softMemory })
        case 1:
            guard let domain = DomainID(decimal: words[0].utf8) else { throw .invalid }
            return try usageReport(of: domain)
        case 3 where words[0] == "set":
            guard let quota = Quota(rawValue: words[1]), quota != .softMemory else {
                throw .invalid
            }
            return try set(quota, words[2])
        default: throw .invalid
        }
    }

    private func set(_ quota: Quota, _ word: String) throws(StoreErrorCode) -> [UInt8] {
        guard let value = UInt32(decimal: word.utf8), value > 0 else { throw .invalid }
        try setQuota(quota.rawValue, to: value, of: nil)
        return Self.okay
    }

    private func settings(_ quotas: [Quota]) -> [UInt8] {
        let lines = quotas.map { quota in
            let name = quota == .softMemory ? Quota.memory.rawValue : quota.rawValue
            return Self.line(name, 17, Int(domains.quotas[quota] ?? 0)) + " \(quota.explanation)\n"
        }
        return Self.text("Quota settings:\n" + lines.joined())
    }

    private func usageReport(of domain: DomainID) throws(StoreErrorCode) -> [UInt8] {
        let usage = tree.usage[domain]
        let record = domains[domain]
        guard record.isIntroduced || usage.nodes > 0 else { throw .noEntry }
        let lines = [
            Self.line("nodes", 16, usage.nodes),
            Self.line("watches", 16, record.watches),
            Self.line("transactions", 16, record.transactions),
            Self.line("outstanding", 16, record.outstanding),
            Self.line("memory", 16, usage.bytes + record.besideNodes),
        ]
        return Self.text("Domain \(domain):\n" + lines.map { $0 + "\n" }.joined())
    }

    /// A name and a number in columns, as the C daemon prints them.
    static func line(_ name: String, _ width: Int, _ number: Int) -> String {
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

/// What a store tells whoever runs it.
extension Store {
    /// Logs a message, if CONTROL `log` has asked for that.
    func log(_ direction: String, _ message: Message, _ id: ConnectionID) {
        guard isLogging, let report = logFile ?? report else { return }
        let type = message.type.map { "\($0)" } ?? "type \(message.rawType)"
        // Whoever reads a log does not want what a client wrote to move his cursor.
        let payload = String(
            decoding: message.payload.prefix(Self.loggedBytes).map {
                (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: ".")
            },
            as: UTF8.self
        )
        report(
            "\(direction) \(id): \(type) \(message.requestID.rawValue) in "
                + "\(message.transactionID.rawValue): \(payload)"
        )
    }

    /// Bytes of a payload that a line of the log shows.
    private static let loggedBytes = 200

    /// Tells once that an unprivileged domain takes more than its soft quota of memory, and once
    /// that it does no longer, at the domain's next request.
    func checkSoftQuota(of domain: DomainID) {
        guard let report, domain != .privileged else { return }
        let limit = domains.limit(.softMemory, of: domain) ?? .max
        let isAbove = tree.usage[domain].bytes + domains[domain].besideNodes >= limit
        guard isAbove != domains[domain].isAboveSoftQuota else { return }
        domains[domain].isAboveSoftQuota = isAbove
        report(
            isAbove
                ? "domain \(domain) exceeds its soft quota of memory"
                : "domain \(domain) is below its soft quota of memory again"
        )
    }
}
