import MountSupport
import TestSupport
import Testing
import XenstoreProtocol

/// A guest's commit is one request, for which all neighbours wait, and hundreds of nodes may be
/// heard by hundreds of watches. What counts is the time that the server works on it, as the
/// machine is not this test's alone.
@Suite(.timeLimit(.minutes(3)))
struct CommitTests {
    /// C xenstored and oxenstored, in memory and on a disk.
    private static let servers: [[String]] = [
        [], ["--state", "$T"], oxenstored, oxenstored + ["--state", "$T"],
    ]
    private static let oxenstored = ["--compatibility", "oxenstored"]

    /// How many watches a guest may have.
    private static func watches(_ server: [String]) -> Int {
        server.starts(with: oxenstored) ? 100 : 128
    }

    /// How many levels of names of one letter its paths may have.
    private static func levels(_ server: [String]) -> Int {
        server.starts(with: oxenstored) ? 490 : 980
    }

    private static func chain(_ levels: Int) -> String {
        String(HostileGuest.chain.prefix(2 * levels - 1))
    }

    /// Requests in a transaction, and what the server works for its commit.
    ///
    /// - Returns: the least of some commits.
    private func work(
        _ guest: HostileGuest,
        _ requests: [(MessageType, String)]
    ) throws -> Duration {
        var least = Duration.seconds(3600)
        for _ in 0..<2 {
            let start = try guest.ask(guest.connection, .transactionStart, "|").dropLast()
            let transaction = try #require(UInt32(start))
            for (type, payload) in requests {
                let reply = try guest.ask(guest.connection, type, payload, in: transaction)
                try #require(reply == "OK|")
            }
            let before = try guest.server.worked()
            try #require(
                try guest.ask(guest.connection, .transactionEnd, "T|", in: transaction) == "OK|"
            )
            // Events of oxenstored's and what was not written yet come before this answer.
            try guest.ask(guest.connection, .getDomainPath, "5|")
            least = min(least, try guest.server.worked() - before)
        }
        return least
    }

    /// What the server works for so many READs that nothing else comes between: the measure of a
    /// machine and a build. In a release build, 2500 take about 20 milliseconds.
    private func reads(_ count: Int, _ guest: HostileGuest) throws -> Duration {
        var least = Duration.seconds(3600)
        for _ in 0..<3 {
            let before = try guest.server.worked()
            for _ in 0..<100 { try guest.ask(guest.neighbour, .read, "q|") }
            least = min(least, try guest.server.worked() - before)
        }
        return least * count / 100
    }

    @Test(arguments: servers)
    func aWideTreeThatManyWatchesHear(server: [String]) async throws {
        try await HostileGuest.use(server) { guest in
            let bound = try reads(2500, guest)
            for number in 0..<499 { try guest.ask(guest.connection, .write, "w/\(number)|") }
            let writes = (0..<499).map { (MessageType.write, "w/\($0)|x") }
            for number in 0..<Self.watches(server) {
                try guest.ask(guest.connection, .watch, "w|\(number)|")
            }
            let heard = try work(guest, writes)
            #expect(heard < bound)
        }
    }

    @Test(arguments: servers)
    func aDeepTreeThatManyWatchesHear(server: [String]) async throws {
        try await HostileGuest.use(server) { guest in
            let bound = try reads(2500, guest)
            let (watches, levels) = (Self.watches(server), Self.levels(server))
            try guest.ask(guest.connection, .makeDirectory, Self.chain(levels) + "|")
            for number in 1...watches {
                let path = Self.chain(number * (levels / watches))
                try guest.ask(guest.connection, .watch, path + "|\(number)|")
            }
            let work = try work(guest, (1...levels).map { (.write, Self.chain($0) + "|x") })
            #expect(work < bound)
        }
    }

    @Test(arguments: servers)
    func aDeepTreeThatIsRemovedAgainAndAgain(server: [String]) async throws {
        try await HostileGuest.use(server) { guest in
            let bound = try reads(2500, guest)
            let (watches, levels) = (Self.watches(server), Self.levels(server))
            for number in 0..<watches {
                let path = Self.chain(levels - number)
                try guest.ask(guest.connection, .watch, path + "|\(number)|")
            }
            try guest.ask(guest.connection, .makeDirectory, Self.chain(levels) + "|")
            let round: [(MessageType, String)] = [
                (.remove, "a|"), (.makeDirectory, Self.chain(levels) + "|"),
            ]
            let work = try work(guest, Array(repeatElement(round, count: 200).joined()))
            #expect(work < bound)
        }
    }

    // MARK: Events that wait

    /// Changes before, in and after a commit that are done in one go: what waits for a client is
    /// not sent it again, and oxenstored sends each.
    @Test(arguments: [[], oxenstored])
    func eventsOfACommitEqualThoseThatWait(server arguments: [String]) async throws {
        try await Shell.use { shell in
            try await withServing(arguments, shell) { server in
                let (writer, watcher) = (try server.connect(), try server.connect())
                try watcher.send(HostileGuest.message(.watch, "/k|t|"))
                while try watcher.receive(within: 200) != nil {}
                var fewest = Int.max
                for _ in 0..<20 {
                    try writer.send(HostileGuest.message(.transactionStart, "|"))
                    let id = try #require(try writer.receive()).payload.dropLast()
                    let transaction = try #require(UInt32(String(decoding: id, as: UTF8.self)))
                    let writes = ["/k/a", "/k/b"].map {
                        HostileGuest.message(.write, $0 + "|x", transaction)
                    }
                    let requests = [
                        writes, [HostileGuest.message(.transactionEnd, "T|", transaction)],
                        ["/k/b", "/k/c", "/k/c"].map { HostileGuest.message(.write, $0 + "|x") },
                        [HostileGuest.message(.write, "/k/a|x")],
                    ].joined()
                    try writer.send(HostileGuest.bytes(Array(requests)))
                    for _ in requests { try #require(try writer.receive()?.type != .error) }
                    // What was sent before the answer has come with it.
                    try watcher.send(HostileGuest.message(.read, "/tool|"))
                    var paths: [String] = []
                    while let message = try watcher.receive(), message.type == .watchEvent {
                        let path = message.payload.prefix { $0 != 0 }
                        paths.append(String(decoding: path, as: UTF8.self))
                    }
                    #expect(Array(paths.prefix(2)) == ["/k/a", "/k/b"])
                    #expect(Set(paths) == ["/k/a", "/k/b", "/k/c"])
                    fewest = min(fewest, paths.count)
                }
                // The machine may have interrupted the server in some of the rounds.
                #expect(fewest == (arguments.isEmpty ? 3 : 6))
            }
        }
    }
}
