import TestSupport
import Testing
import XenstoreClient
import XenstoreEmbedded
import XenstoreProtocol
import XenstoreStore

/// What a user of ``Xenstore`` sees: operations, transactions, watches, waits and the
/// client's life, over a socket to our own server.
@Suite(.timeLimit(.minutes(1)))
struct ClientTests {
    private func withClient(_ body: (Xenstore, String) async throws -> Void) async throws {
        let server = try await RunningServer()
        let client = try await Xenstore(to: .socket(server.path))
        try await body(client, server.path)
        await client.close()
        await server.stop()
    }

    @Test func valuesAndKeys() async throws {
        try await withClient { client, _ in
            try await client.write("text", to: "/a/b")
            try await client.write(-42, to: "/a/n")
            #expect(try await client.read("/a/b") == Array("text".utf8))
            #expect(try await client.readText("/a/b") == "text")
            #expect(try await client.readInteger("/a/n") == -42)
            #expect(try await client.directory("/a") == ["b", "n"])
            #expect(try await client.exists("/a/b"))
            try await client.remove("/a/b")
            #expect(try await !client.exists("/a/b"))
            let error = await #expect(throws: ClientError.self) { try await client.read("/a/b") }
            #expect(error.map { "\($0)" } == "READ /a/b: ENOENT")
            let illegal = await #expect(throws: ClientError.self) { try await client.read("/a.b") }
            #expect(illegal?.reason == .invalidPath(.illegalCharacter(UInt8(ascii: "."))))
        }
    }

    @Test func aConflictIsTriedAgainAndEnds() async throws {
        try await withClient { client, path in
            let other = try await Xenstore(to: .socket(path))
            var tries = 0
            try await client.write("0", to: "/k")
            try await client.transaction { handle in
                tries += 1
                _ = try await handle.read("/k")
                if tries < 3 { try await other.write("\(tries)", to: "/k") }
                try await handle.write("done", to: "/k")
            }
            #expect(tries == 3)
            #expect(try await client.readText("/k") == "done")
            let error = await #expect(throws: ClientError.self) {
                try await client.transaction(.upTo(2)) { handle in
                    _ = try await handle.read("/k")
                    try await other.write("again", to: "/k")
                    try await handle.write("lost", to: "/k")
                }
            }
            #expect(error?.reason == .conflict(attempts: 2))
            #expect(try await client.readText("/k") == "again")
        }
    }

    @Test func anActorMayCallAndIsNotBlocked() async throws {
        actor Caller {
            func value(_ client: Xenstore) async throws -> String {
                try await client.write("v", to: "/k")
                return try await client.readText("/k")
            }
        }
        try await withClient { client, _ in
            let value = try await Caller().value(client)
            #expect(value == "v")
        }
    }

    @Test func aWatchTellsAndEnds() async throws {
        try await withClient { client, _ in
            let stream = try await client.watch("/w")
            var events = stream.makeAsyncIterator()
            #expect(try await events.next() == "/w")
            try await client.write("1", to: "/w/a")
            #expect(try await events.next() == "/w/a")
            try await stream.end()
            #expect(try await events.next() == nil)
        }
    }

    @Test func aWaitIsForWhatItReads() async throws {
        try await withClient { client, _ in
            async let value = client.wait(forValueAt: "/state", timeout: .seconds(20)) {
                $0 == [UInt8(ascii: "4")]
            }
            for state in 1...4 { try await client.write(state, to: "/state") }
            #expect(try await value == [UInt8(ascii: "4")])
            let error = await #expect(throws: ClientError.self) {
                try await client.wait(untilExists: "/never", timeout: .milliseconds(20))
            }
            #expect(error?.reason == .timedOut)
        }
    }

    @Test func aSuspensionKeepsRequestsAndWatches() async throws {
        try await withClient { client, _ in
            let stream = try await client.watch("/w")
            var events = stream.makeAsyncIterator()
            #expect(try await events.next() == "/w")
            let transaction = try await client.begin()
            try await client.suspend()
            async let written: Void = client.write("later", to: "/k")
            try await client.resume()
            try await written
            #expect(try await client.readText("/k") == "later")
            #expect(try await events.next() == "/w")
            let error = await #expect(throws: ClientError.self) {
                try await transaction.commit()
            }
            #expect(error?.isConflict == true)
        }
    }

    @Test func aReadOutlivesItsConnection() async throws {
        let store = try FakeStore { peer in
            guard peer.number == 0 else { return try peer.serve() }
            _ = try peer.next()
        }
        defer { store.end() }
        let client = try await Xenstore(to: .socket(store.path))
        #expect(try await client.readText("/r") == "/r")
    }

    @Test func aTransactionWhoseStarterLeftIsEnded() async throws {
        let seen = Recorder<String>()
        let store = try FakeStore { peer in
            let start = try peer.next()
            let read = try peer.next()
            try peer.reply("9\0", to: start)
            try peer.reply("v", to: read)
            let end = try peer.next()
            seen.note("\(end.transactionID.rawValue) \(end.text)")
            try peer.reply("OK\0", to: end)
            try peer.serve()
        }
        defer { store.end() }
        let client = try await Xenstore(to: .socket(store.path))
        let task = Task { try await client.begin() }
        task.cancel()
        await #expect(throws: ClientError.self) { try await task.value }
        _ = try await client.read("/r")
        _ = try await client.read("/after")
        #expect(seen.all == ["9 F"])
    }

    @Test func aTreeInFewRoundTrips() async throws {
        let client = try await Xenstore(embeddedAs: .privileged) { Store() }
        try await client.write("1", to: "/t/a/b")
        try await client.write("2", to: "/t/c")
        let tree = try await client.tree(at: "/t", permissions: true)
        var lines: [String] = []
        tree.forEach { node, level in lines.append("\(level) \(node.path)") }
        #expect(lines == ["0 /t", "1 /t/a", "2 /t/a/b", "1 /t/c"])
        #expect(try tree.nodes.last?.value.get() == [UInt8(ascii: "1")])
    }
}
