import MountSupport
import TestSupport
import Testing
import XenstoreProtocol

/// What a guest does within its quotas keeps nobody else waiting, and takes bounded memory.
@Suite(.timeLimit(.minutes(3)))
struct NeighbourTests {
    // MARK: Time

    @Test func transactionsThatRemoveADeepTree() async throws {
        try await HostileGuest.use { guest in
            try guest.ask(guest.connection, .makeDirectory, HostileGuest.chain + "|")
            let first = try #require(
                UInt32(try guest.ask(guest.connection, .transactionStart, "|").dropLast())
            )
            // Their numbers are known before they begin.
            let requests = (1...300).flatMap { number in
                [
                    HostileGuest.message(.transactionStart, "|"),
                    HostileGuest.message(.remove, "a|", first + UInt32(number)),
                    HostileGuest.message(.transactionEnd, "F|", first + UInt32(number)),
                ]
            }
            try guest.expectNeighboursServed(while: HostileGuest.bytes(requests))
        }
    }

    @Test func deepTreesThatComeAndGo() async throws {
        try await HostileGuest.use { guest in
            for (number, depth) in [900, 600, 300].enumerated() {
                let path = HostileGuest.chain.prefix(2 * depth - 1)
                try guest.ask(guest.connection, .watch, "\(path)|\(number)|")
            }
            let requests = [
                HostileGuest.message(.makeDirectory, HostileGuest.chain + "|"),
                HostileGuest.message(.remove, "a|"),
            ]
            try guest.expectNeighboursServed(while: HostileGuest.bytes(requests))
        }
    }

    @Test func readsOfWhatIsNotThere() async throws {
        try await HostileGuest.use { guest in
            let path = Array(repeatElement("z", count: 1000)).joined(separator: "/")
            let request = HostileGuest.message(.read, path + "|")
            try guest.expectNeighboursServed(while: HostileGuest.bytes([request]))
        }
    }

    @Test func listingsOfManyChildren() async throws {
        try await HostileGuest.use { guest in
            for number in 0..<400 { try guest.ask(guest.connection, .write, "w/\(number)|x") }
            let requests = [
                HostileGuest.message(.directory, "w|"),
                HostileGuest.message(.directoryPart, "w|0|"),
            ]
            try guest.expectNeighboursServed(while: HostileGuest.bytes(requests))
        }
    }

    @Test func changesThatManyWatchesHear() async throws {
        try await HostileGuest.use { guest in
            for number in 0..<100 { try guest.ask(guest.connection, .watch, "w|\(number)|") }
            let request = HostileGuest.message(.write, "w/\(HostileGuest.chain)|x")
            try guest.expectNeighboursServed(while: HostileGuest.bytes([request]))
        }
    }

    @Test func manyConnectionsThatWorkAtOnce() async throws {
        try await HostileGuest.use { guest in
            let requests = HostileGuest.bytes([
                HostileGuest.message(.makeDirectory, HostileGuest.chain + "|"),
                HostileGuest.message(.remove, "a|"),
            ])
            let others = try (0..<100).map { _ in try guest.connect() }
            for other in others {
                for _ in 0..<20 { _ = other.sendWhatFits(requests) }
            }
            try guest.expectNeighboursServed(while: requests)
        }
    }

    // MARK: Memory

    /// One key that is written again and again in a transaction is one change.
    @Test func aTransactionTakesWhatItLeaves() async throws {
        try await Shell.use { shell in
            try await withServing(["--state", shell.directory + "/state"], shell) { server in
                let client = try server.connect()
                try client.send(HostileGuest.message(.transactionStart, "|"))
                let id = try #require(try client.receive()).payload.dropLast()
                let transaction = try #require(UInt32(String(decoding: id, as: UTF8.self)))
                let before = try server.memory()
                let value = String(repeating: "x", count: 2000)
                for _ in 0..<200 {
                    let batch = (0..<100).map { number in
                        HostileGuest.message(.write, "/k|\(number)\(value)", transaction)
                    }
                    try client.send(HostileGuest.bytes(batch))
                    for _ in batch { try #require(try client.receive()?.type == .write) }
                }
                #expect(try server.memory() - before < 8 << 20, "40 MB were written")
                try client.send(HostileGuest.message(.transactionEnd, "T|", transaction))
                #expect(try client.receive()?.type == .transactionEnd)
                try await server.expect("xenstore-read /k | wc -c", prints: "2003\n")
                let size = try await shell.run("stat -c %s $T/state")
                #expect(try #require(Int(size.output.dropLast())) < 1 << 20)
            }
        }
    }

    /// As in C xenstored: what a guest has not taken counts, and events beyond its quota are
    /// dropped.
    @Test func eventsThatAGuestDoesNotTakeCount() async throws {
        try await HostileGuest.use { guest in
            let token = String(repeating: "t", count: 1000)
            try guest.ask(guest.connection, .watch, "w|\(token)|")
            for number in 0..<3000 {
                try guest.ask(guest.host, .write, "/local/domain/5/w/\(number)|")
            }
            let report = try guest.ask(guest.host, .control, "quota|5|")
            let memory = report.split(separator: "\n").first { $0.hasPrefix("memory") }
            let number = memory?.split(separator: " ").last.flatMap { Int($0) }
            let bytes = try #require(number, "\(report)")
            #expect((1 << 20...3 << 20).contains(bytes), "\(report)")
            #expect(try guest.ask(guest.host, .write, "/local/domain/5/w/last|") == "OK|")
            let log = readFile(guest.server.store.process.errors) ?? ""
            #expect(log.split(separator: "\n").filter { $0.contains("its events") }.count == 1)
            // It is not cut, and hears again once it has taken what waited.
            var count = 0
            while try guest.connection.receive(within: 200) != nil { count += 1 }
            #expect((1000..<2900).contains(count))
            try guest.ask(guest.host, .write, "/local/domain/5/w/again|")
            let event = try #require(try guest.connection.receive())
            #expect(event.payload.starts(with: "w/again".utf8))
        }
    }

    // MARK: Connections

    @Test func aGuestHasSoManyConnections() async throws {
        try await HostileGuest.use { guest in
            let more = try (0..<127).map { _ in try guest.connect() }
            for client in more { #expect(try guest.ask(client, .getDomainPath, "5|") != "") }
            for _ in 0..<3 { #expect(try guest.connect().end()) }
            try guest.server.expectAlive(try guest.server.connect())
            #expect(try guest.ask(guest.neighbour, .read, "q|") == "v")
            let log = readFile(guest.server.store.process.errors) ?? ""
            #expect(log == "xsfs: domain 5 has 128 connections; more are refused\n")
        }
    }

    /// The soft limit is raised, and what guests may not have is the privileged domain's.
    /// - Parameter inherited: descriptors that the server is started with, and never uses.
    @Test(arguments: [0, 150])
    func descriptorsAreLeftForThePrivilegedDomain(inherited: Int) async throws {
        try await Shell.use { shell in
            let sockets = (5...7).flatMap { ["--domain", "\($0)=\(shell.directory)/\($0)"] }
            let limits = [
                "prlimit", "--nofile=64:400", "bash", "-c",
                // What other tests of this process have open is left out.
                #"""
                for fd in /proc/self/fd/*; do fd=${fd##*/}; ((fd < 3)) || exec {fd}>&-; done
                ulimit -n 400; for i in $(seq "$0"); do exec {fd}</dev/null; done; exec "$@"
                """#,
                "\(inherited)",
            ]
            try await withServing(sockets, by: limits, shell) { server in
                var clients: [SocketConversation] = []
                var refused = 0
                for number in 0..<360 {
                    let path = shell.directory + "/\(5 + number % 3)"
                    let client = try SocketConversation(path: path)
                    // A guest that is refused may hear of it while it asks.
                    try? client.send(HostileGuest.message(.getDomainPath, "5|"))
                    if try client.receive() == nil { refused += 1 } else { clients.append(client) }
                }
                let most = 400 - 128 - inherited
                #expect((most...(most + 16)).contains(clients.count) && clients.count <= 272)
                #expect(refused == 360 - clients.count)
                let hosts = try (0..<40).map { _ in try server.connect() }
                for host in hosts { try server.expectAlive(host) }
                let log = readFile(server.store.process.errors) ?? ""
                let count = clients.count
                let reason = "all domains together have \(count) connections; more are refused"
                #expect(log == "xsfs: \(reason)\n")
            }
        }
    }
}
