import MountSupport
import TestSupport
import Testing
import XenstoreProtocol

/// A server that can be talked to as domain 0 and, where it can, as a guest.
struct Server {
    let kind: ServerKind
    /// That of a daemon of Xen.
    var version = XenVersion.xen417
    var transport = Transport.connections
    let connect: (DomainID) throws -> (any Conversation)?
}

/// Replays scenarios on a server, and records what differs as issues at the row's line.
final class Replay {
    private static let barrierID = RequestID(0xBA44_1E40)

    private let server: Server
    private let directory: String
    private var conversations: [Character: any Conversation] = [:]
    private var transactions: [String: TransactionID] = [:]
    /// Who has asked for a watch.
    private var watchers: Set<Character> = []
    private var lastRequest: UInt32 = 0

    private init(in directory: String, on server: Server) {
        self.server = server
        self.directory = directory
    }

    static func run(_ scenario: Scenario, on server: Server) throws {
        let replay = Replay(in: scenario.directory, on: server)
        for request in ["MKDIR /conformance|", "RM $|", "MKDIR $|"] {
            let setup = Row("A", request, "OK|")
            try replay.run(setup)
        }
        for row in scenario.rows() where row.concerns(server.kind, server.version) {
            guard try replay.run(row) else { return }
        }
    }

    /// Takes away what scenarios have left.
    static func clean(_ server: Server) throws {
        try Replay(in: "/conformance", on: server).run(Row("A", "RM $|", "OK|"))
    }

    /// - Returns: false where the server has no such caller.
    @discardableResult
    private func run(_ row: Row) throws -> Bool {
        let isOverRing = server.transport == .ring
        if isOverRing, LeftOut.rowsOverRing[row.text] != nil { return true }
        let row = isOverRing ? row.overRing(server) : row
        guard let name = row.caller.first, let conversation = try conversation(name) else {
            return false
        }
        let message = try message(row)
        try conversation.send(message)
        var events: [Character: [String]] = [:]
        var reply: Message?
        while reply == nil, let received = try conversation.receive() {
            if received.type == .watchEvent {
                events[name, default: []].append(text(received.payload))
            } else {
                reply = received
            }
        }
        if message.type == .watch { watchers.insert(name) }
        let eventsBefore = events[name]?.count ?? 0
        for (name, conversation) in conversations {
            switch server.transport {
            case .connections: events[name, default: []] += try eventsUpToNow(of: conversation)
            case .ring where watchers.contains(name):
                events[name, default: []] += try eventsOverRing(of: conversation)
            case .ring: break
            }
        }
        check(row, message, reply)
        checkEvents(row, events)
        checkOrder(row, message, before: eventsBefore, all: events[name]?.count ?? 0)
        return reply != nil
    }

    private func conversation(_ name: Character) throws -> (any Conversation)? {
        if let open = conversations[name] { return open }
        let domain = name == "G" ? DomainID(5) : .privileged
        guard let conversation = try server.connect(domain) else { return nil }
        conversations[name] = conversation
        return conversation
    }

    private func message(_ row: Row) throws -> Message {
        let parts = row.request.split(
            separator: " ",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        let payload = parts.count == 2 ? String(parts[1]) : ""
        lastRequest += 1
        return Message(
            rawType: try #require(Self.rawType(String(parts[0]))),
            requestID: RequestID(lastRequest),
            transactionID: transaction(row),
            payload: substitute(payload).utf8.map { $0 == UInt8(ascii: "|") ? 0 : $0 }
        )
    }

    private func transaction(_ row: Row) -> TransactionID {
        guard let dot = row.caller.firstIndex(of: ".") else { return .none }
        let slot = row.caller[row.caller.index(after: dot)...]
        if let number = UInt32(slot) { return TransactionID(number) }
        return transactions[row.caller] ?? .none
    }

    /// Asks something harmless: what came before its answer was caused before.
    private func eventsUpToNow(of conversation: any Conversation) throws -> [String] {
        try conversation.send(
            Message(.getDomainPath, requestID: Self.barrierID, payload: [0x30, 0])
        )
        var events: [String] = []
        while let received = try conversation.receive() {
            if received.type == .watchEvent {
                events.append(text(received.payload))
            } else if received.requestID == Self.barrierID {
                return events
            }
        }
        return events + ["the connection ended"]
    }

    /// Sets a watch: the kernel hands on replies and events by different threads, but all events
    /// by one, so that what came before the watch's first event was caused before.
    private func eventsOverRing(of conversation: any Conversation) throws -> [String] {
        let barrier = "/conformance-barrier|barrier|"
        let payload = barrier.utf8.map { $0 == UInt8(ascii: "|") ? 0 : $0 }
        var events: [String] = []
        for type in [MessageType.watch, .unwatch] {
            try conversation.send(Message(type, requestID: Self.barrierID, payload: payload))
            var isAnswered = false
            var isTold = type == .unwatch
            while !isAnswered || !isTold {
                guard let received = try conversation.receive() else {
                    return events + ["the connection ended"]
                }
                if received.type != .watchEvent {
                    isAnswered = true
                } else if text(received.payload) == barrier {
                    isTold = true
                } else {
                    events.append(text(received.payload))
                }
            }
        }
        return events
    }

    private func check(_ row: Row, _ request: Message, _ reply: Message?) {
        guard let reply else {
            Issue.record("\(row.request): no reply", sourceLocation: row.location)
            return
        }
        let isError = reply.type == .error
        let payload = text(reply.payload)
        let found = isError ? String(payload.dropLast()) : payload
        let expected = substitute(row.reply(server.kind, server.version))
        if !Self.matches(found, expected) {
            Issue.record(
                "\(row.request.prefix(80)): expected \(expected.prefix(80)), found \(found.prefix(80))",
                sourceLocation: row.location
            )
        }
        #expect(isError || reply.rawType == request.rawType, sourceLocation: row.location)
        #expect(reply.requestID == request.requestID, sourceLocation: row.location)
        // oxenstored clears the transaction of requests that ignore it.
        let isIgnored = request.type == .watch || request.type == .unwatch
        if !(isIgnored && server.kind.isLikeOxenstored) {
            #expect(reply.transactionID == request.transactionID, sourceLocation: row.location)
        }
        if request.type == .transactionStart, !isError, transactions[row.caller] == nil {
            transactions[row.caller] = UInt32(found.dropLast()).map { TransactionID($0) }
        }
    }

    private func checkEvents(_ row: Row, _ events: [Character: [String]]) {
        var expected: [Character: [String]] = [:]
        for event in row.events(server.kind, server.version) {
            guard let name = event.first else { continue }
            expected[name, default: []].append(substitute(String(event.dropFirst(2))))
        }
        for name in Set(conversations.keys).union(expected.keys) {
            // Events read `path token` here, and `path|token|` on the wire.
            let found = (events[name] ?? []).map {
                String($0.dropLast()).replacing("|", with: " ", maxReplacements: 1)
            }
            #expect(
                found == expected[name] ?? [],
                "\(row.request): events of \(name)",
                sourceLocation: row.location
            )
        }
    }

    /// Checks what the caller heard before the reply to its own request. A client must not rely on
    /// it, but it is what tells a faithful server.
    private func checkOrder(_ row: Row, _ request: Message, before: Int, all: Int) {
        // The kernel hands on replies and events by different threads.
        guard server.transport != .ring else { return }
        switch request.type {
        case .write, .makeDirectory, .remove, .setPermissions:
            #expect(
                before == (server.kind.isLikeOxenstored ? 0 : all),
                sourceLocation: row.location
            )
        case .transactionEnd, .introduce:
            #expect(before == all, sourceLocation: row.location)
        case .watch:
            #expect(before == 0, sourceLocation: row.location)
        default:
            break
        }
    }

    private func substitute(_ text: String) -> String {
        text.replacing("$", with: directory)
    }

    private func text(_ payload: [UInt8]) -> String {
        String(decoding: payload.map { $0 == 0 ? UInt8(ascii: "|") : $0 }, as: UTF8.self)
    }

    /// Whether a text is the expected one, in which `#` stands for digits.
    private static func matches(_ found: String, _ expected: String) -> Bool {
        if found == expected { return true }
        var rest = found[...]
        for character in expected {
            if character == "#" {
                let digits = rest.prefix { $0.isNumber }
                guard !digits.isEmpty else { return false }
                rest = rest[digits.endIndex...]
            } else {
                guard rest.popFirst() == character else { return false }
            }
        }
        return rest.isEmpty
    }

    private static func rawType(_ name: String) -> UInt32? {
        if let number = UInt32(name) { return number }
        return types[name]?.rawValue
    }

    private static let types: [String: MessageType] = [
        "CONTROL": .control, "DIRECTORY": .directory, "READ": .read, "GET_PERMS": .getPermissions,
        "WATCH": .watch, "UNWATCH": .unwatch, "TRANSACTION_START": .transactionStart,
        "TRANSACTION_END": .transactionEnd, "INTRODUCE": .introduce, "RELEASE": .release,
        "GET_DOMAIN_PATH": .getDomainPath, "WRITE": .write, "MKDIR": .makeDirectory,
        "RM": .remove, "SET_PERMS": .setPermissions, "RESUME": .resume,
        "IS_DOMAIN_INTRODUCED": .isDomainIntroduced, "SET_TARGET": .setTarget,
        "RESET_WATCHES": .resetWatches, "DIRECTORY_PART": .directoryPart,
    ]
}
