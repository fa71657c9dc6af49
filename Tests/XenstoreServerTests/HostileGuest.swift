import MountSupport
import TestSupport
import Testing
import XenstoreProtocol

/// Domain 5 of a server, whose owner does what its quotas allow; and its neighbours.
struct HostileGuest {
    static let chain = Array(repeatElement("a", count: 990)).joined(separator: "/")

    let server: Served
    let connection: SocketConversation
    /// Domain 0.
    let host: SocketConversation
    /// Domain 6, which has a key `q`.
    let neighbour: SocketConversation
    private let directory: String

    /// - Parameter arguments: more of them for the server; `$T` stands for a file of the test.
    static func use(
        _ arguments: [String] = [],
        _ body: (HostileGuest) async throws -> Void
    ) async throws {
        try await Shell.use { shell in
            let directory = shell.directory
            let sockets = [5, 6].flatMap { ["--domain", "\($0)=\(directory)/\($0)"] }
            let more = arguments.map { $0 == "$T" ? directory + "/state" : $0 }
            try await withServing(sockets + more, shell) { server in
                let guest = try HostileGuest(server, directory)
                try await body(guest)
            }
        }
    }

    private init(_ server: Served, _ directory: String) throws {
        self.server = server
        self.directory = directory
        connection = try SocketConversation(path: directory + "/5")
        host = try server.connect()
        neighbour = try SocketConversation(path: directory + "/6")
        for domain in [5, 6] {
            let home = "/local/domain/\(domain)"
            try ask(host, .write, home + "|")
            try ask(host, .setPermissions, home + "|n\(domain)|")
        }
        try ask(neighbour, .write, "q|v")
        try ask(host, .write, "/q|v")
    }

    /// Another connection of the guest.
    func connect() throws -> SocketConversation { try SocketConversation(path: directory + "/5") }

    /// Sends a request and waits for its reply; `|` stands for NUL. Events are passed over.
    @discardableResult
    func ask(
        _ client: SocketConversation,
        _ type: MessageType,
        _ payload: String,
        in transaction: UInt32 = 0
    ) throws -> String {
        try client.send(Self.message(type, payload, transaction))
        while true {
            let reply = try #require(try client.receive())
            guard reply.type == .watchEvent else {
                return String(decoding: reply.payload.map { $0 == 0 ? 0x7C : $0 }, as: UTF8.self)
            }
        }
    }

    static func message(_ type: MessageType, _ payload: String, _ transaction: UInt32 = 0)
        -> Message
    {
        Message(
            type,
            transactionID: TransactionID(transaction),
            payload: payload.utf8.map { $0 == UInt8(ascii: "|") ? 0 : $0 }
        )
    }

    static func bytes(_ messages: [Message]) -> [UInt8] {
        var bytes: [UInt8] = []
        for message in messages { message.encode(into: &bytes) }
        return bytes
    }

    /// The longest that a neighbour may wait for a READ.
    static let longestWait = Duration.milliseconds(50)

    /// What neighbours wait for with a READ while the guest's requests never end: the time that the
    /// server works between question and answer, as the machine is not this test's alone. Nine of
    /// ten do not exceed it: a server that is stopped in between is caught in it, too.
    func expectNeighboursServed(
        while requests: [UInt8],
        location: SourceLocation = #_sourceLocation
    ) throws {
        var waits: [Duration] = []
        var rest = requests[...]
        for round in 0..<60 {
            // The pipe stays full, and what is answered is taken.
            var sent = 0
            repeat {
                sent = connection.sendWhatFits(Array(rest))
                rest = rest.dropFirst(sent)
                if rest.isEmpty { rest = requests[...] }
            } while sent > 0
            let isHost = round.isMultiple(of: 2)
            let start = try server.worked()
            let value = try ask(isHost ? host : neighbour, .read, isHost ? "/q|" : "q|")
            waits.append(try server.worked() - start)
            #expect(value == "v", sourceLocation: location)
            while try connection.receive(within: 0) != nil {}
        }
        waits.sort()
        #expect(waits[waits.count * 9 / 10] < Self.longestWait, sourceLocation: location)
    }
}
