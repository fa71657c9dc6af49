import Testing
import XenstoreProtocol

/// How a server is talked to.
enum Transport {
    /// Each caller has a connection of its own.
    case connections
    /// All callers of a domain share one, through the kernel's xenbus device, which keeps their
    /// watches and transactions apart.
    case ring
}

extension Row {
    /// The same row for who asks through the kernel's device: what the kernel answers itself, and
    /// what it makes of the daemon's answers.
    func overRing(_ server: Server) -> Row {
        let expected = reply(server.kind, server.version)
        let events = events(server.kind, server.version)
        let words = request.split(separator: " ", maxSplits: 1)
        let parts = words.dropFirst().first?.split(separator: "|").map(String.init) ?? []
        switch words.first {
        case "WATCH" where expected == "EEXIST" || parts.count == 3:
            // It gives each watch a token of its own, and no depth.
            return with("OK|", ["\(caller.prefix(1)) \(parts[0]) \(parts[1])"])
        case "UNWATCH" where expected == "ENOENT":
            return with("OK|", [])
        case "TRANSACTION_START" where expected.first?.isNumber == true:
            // The numbers are those of the domain.
            return with("#|", events)
        case "TRANSACTION_START", "WATCH", "UNWATCH":
            return self
        case "DIRECTORY" where expected.utf8.count > ProtocolLimits.payloadSize:
            // oxenstored sends it in one message over a socket, and never over a ring.
            return with("E2BIG", events)
        default:
            // It knows the transactions that it was asked for, and refuses others by itself, for
            // which oxenstored has another error.
            let isOfTransaction = caller.contains(".") && server.kind == .oxenstored
            return isOfTransaction && expected == "EIO" ? with("ENOENT", events) : self
        }
    }

    private func with(_ reply: String, _ events: [String]) -> Row {
        Row(
            caller,
            request,
            Expected(value: reply),
            Expected(value: events),
            only: servers,
            from: firstVersion,
            location: location
        )
    }
}

/// What of the table a host's own store is not asked, and why.
enum LeftOut {
    /// By each way.
    static let onHosts = [
        "coming and going":
            "it introduces domains that are not there, which the hypervisor refuses"
    ]

    /// Over the kernel's device.
    static let overRing = [
        "the end of watches": "RESET_WATCHES ends the kernel's own watches, too"
    ]

    /// Rows of other scenarios, over the kernel's device.
    static let rowsOverRing = [
        "A TRANSACTION_END T|": "the kernel loses the reply where no transaction is named"
    ]

    static func reason(_ scenario: Scenario, _ transport: Transport) -> String? {
        if let reason = onHosts[scenario.name] { return reason }
        if transport == .ring, let reason = overRing[scenario.name] { return reason }
        if scenario.isOfGuest { return "there is no guest to ask as" }
        return nil
    }
}

extension Scenario {
    /// Whether a guest asks something in it.
    var isOfGuest: Bool { rows().contains { $0.caller.hasPrefix("G") } }
}
