import XenstoreProtocol

/// CONTROL: commands for the store itself, in the words of C xenstored.
///
/// `live-update` is not there: a store has no program to become.
final class XenstoredControl {
    private let nodes: NodeStore
    private let accounts: DomainAccounts
    private let connections: ConnectionTable
    private let log: StoreLog
    private let limits: XenstoredLimits

    init(_ state: StoreState, _ limits: XenstoredLimits) {
        nodes = state.nodes
        accounts = state.accounts
        connections = state.connections
        log = state.log
        self.limits = limits
    }

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
    func run(_ arguments: [[UInt8]]) throws(StoreErrorCode) -> [UInt8] {
        let words = arguments.map { String(decoding: $0, as: UTF8.self) }
        let parameters = Array(words.dropFirst())
        switch (words.first, parameters.count) {
        case ("help", 0): return Reply.text(Self.help)
        case ("check", 0):
            guard nodes.isConsistent else { throw .ioError }
            return Reply.okay
        case ("log", 0...1): return try controlLog(parameters.first)
        case ("logfile", 1):
            try log.moveToFile(parameters[0])
            return Reply.okay
        case ("memreport", 0...1):
            guard let place = try parameters.first.map(log.opened) ?? log.place else {
                throw .invalid
            }
            reportMemory(place)
            return Reply.okay
        case ("print", 1):
            log.report?("control: \(parameters[0])")
            return Reply.okay
        case ("quota", _): return try controlQuota(parameters)
        case ("quota-soft", 0): return settings([.softMemory])
        case ("quota-soft", 3) where parameters[0] == "set":
            guard parameters[1] == Quota.memory.rawValue else { throw .invalid }
            return try set(.softMemory, parameters[2])
        default: throw .invalid
        }
    }

    private func controlLog(_ word: String?) throws(StoreErrorCode) -> [UInt8] {
        switch word {
        case nil: return Reply.text("Log switch settings:\nio      : \(log.isOn ? "on" : "off")\n")
        case "on", "+io": log.turn(on: true)
        case "off", "-io": log.turn(on: false)
        default: throw .invalid
        }
        return Reply.okay
    }

    private func reportMemory(_ report: (String) -> Void) {
        report(
            "memory: \(connections.count) connections, \(connections.transactionCount) transactions"
        )
        for domain in accounts.all.sorted() {
            let usage = nodes.tree.usage[domain]
            let record = accounts[domain]
            report(
                "memory: domain \(domain): \(usage.bytes) bytes in \(usage.nodes) nodes, "
                    + "\(record.watchBytes) in \(record.watches) watches"
            )
        }
    }

    private func controlQuota(_ words: [String]) throws(StoreErrorCode) -> [UInt8] {
        switch words.count {
        case 1 where words[0] == "max": return highestUsage(reset: false)
        case 2 where words == ["max", "-r"]: return highestUsage(reset: true)
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
        try limits.setQuota(quota.rawValue, to: value, of: nil)
        return Reply.okay
    }

    private func settings(_ quotas: [Quota]) -> [UInt8] {
        let lines = quotas.map { quota in
            let name = quota == .softMemory ? Quota.memory.rawValue : quota.rawValue
            return Self.line(name, 17, Int(accounts.quota(quota) ?? 0)) + " \(quota.explanation)\n"
        }
        return Reply.text("Quota settings:\n" + lines.joined())
    }

    private func usageReport(of domain: DomainID) throws(StoreErrorCode) -> [UInt8] {
        let usage = nodes.tree.usage[domain]
        let record = accounts[domain]
        guard record.isIntroduced || usage.nodes > 0 else { throw .noEntry }
        let lines = [
            Self.line("nodes", 16, usage.nodes),
            Self.line("watches", 16, record.watches),
            Self.line("transactions", 16, record.transactions),
            Self.line("outstanding", 16, record.outstanding),
            Self.line("memory", 16, usage.bytes + record.besideNodes),
        ]
        return Reply.text("Domain \(domain):\n" + lines.map { $0 + "\n" }.joined())
    }

    /// A name and a number in columns, as the C daemon prints them.
    private static func line(_ name: String, _ width: Int, _ number: Int) -> String {
        let digits = String(number)
        return name + String(repeating: " ", count: max(0, width - name.utf8.count)) + ": "
            + String(repeating: " ", count: max(0, 8 - digits.utf8.count)) + digits
    }

    private func highestUsage(reset: Bool) -> [UInt8] {
        if reset { accounts.resetHighest() }
        for domain in accounts.all { accounts.noteUsage(of: domain) }
        let lines = Quota.allCases.filter { $0 != .softMemory }.map { quota in
            Self.line(quota.rawValue, 17, accounts.highest(quota)) + "\n"
        }
        return Reply.text("Max. seen accounting values:\n" + lines.joined())
    }
}
