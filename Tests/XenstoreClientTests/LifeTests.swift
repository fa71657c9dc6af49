import SystemPackage
import TestSupport
import Testing
import XenstoreClient
import XenstoreProtocol

/// What happens to requests, streams and clients when connections, callers and clients go.
@Suite(.timeLimit(.minutes(1)))
struct LifeTests {
    private static let paths = ["/a", "/b", "/c", "/d"]

    @Test func aBatchOfReadsOutlivesItsConnection() async throws {
        let seen = Recorder<String>()
        let store = try FakeStore { peer in
            guard peer.number == 0 else {
                while true {
                    let request = try peer.next()
                    seen.note(request.text)
                    try peer.reply("again \(request.text)", to: request)
                }
            }
            for _ in 0..<2 {
                let request = try peer.next()
                try peer.reply("first \(request.text)", to: request)
            }
            _ = try peer.next()
        }
        defer { store.end() }
        let client = try await Xenstore(to: .socket(store.path))
        let values = try await client.readMany(Self.paths).map { answer in
            String(decoding: try answer.get(), as: UTF8.self)
        }
        #expect(values == ["first /a", "first /b", "again /c", "again /d"])
        // What was answered is not asked again.
        #expect(seen.all == ["/c", "/d"])
    }

    @Test func aBatchThatChangesFailsFromTheBreakOn() async throws {
        let store = try FakeStore { peer in
            guard peer.number == 0 else { return try peer.serve() }
            try peer.reply("OK\0", to: try peer.next())
            _ = try peer.next()
        }
        defer { store.end() }
        let client = try await Xenstore(to: .socket(store.path))
        let requests = Self.paths.map { Request.write(XenstorePath(stringLiteral: $0), "v") }
        let answers = await client.immediate.perform(requests)
        #expect(try answers[0].get() == Array("OK\0".utf8))
        for (path, answer) in zip(Self.paths, answers).dropFirst() {
            // Nobody knows whether it was written: it is not written twice.
            #expect(answer == .failure(ClientError(.write, path: path, .disconnected)))
        }
        #expect(try await client.readText("/r") == "/r")
    }

    @Test func aBatchInATransactionIsAConflict() async throws {
        let store = try FakeStore { peer in
            guard peer.number == 0 else { return try peer.serve() }
            try peer.reply("5\0", to: try peer.next())
            _ = try peer.next()
        }
        defer { store.end() }
        let client = try await Xenstore(to: .socket(store.path))
        let transaction = try await client.begin()
        for answer in try await transaction.readMany(Self.paths) {
            guard case .failure(let error) = answer else {
                Issue.record("a lost transaction answers")
                return
            }
            #expect(error.isConflict)
        }
    }

    @Test func aStreamThatOverflowsTellsOfItsPath() async throws {
        let server = try await RunningServer()
        let configuration = ConnectionConfiguration(pendingEventLimit: 4)
        let client = try await Xenstore(
            to: .socket(server.path),
            configuration: configuration
        )
        let stream = try await client.watch("/w")
        var events = stream.makeAsyncIterator()
        #expect(try await events.next() == "/w")
        // As many as fit come each by itself, in their order.
        for name in ["a", "b", "a", "c", "d"] { try await client.write("", to: "/w/\(name)") }
        for name in ["a", "b", "c", "d"] {
            let event = try await events.next()
            #expect(event?.text == "/w/\(name)")
        }
        for number in 0..<100 { try await client.write("", to: "/w/\(number)") }
        #expect(try await events.next() == "/w")
        // More may follow the overflow, but never more than the limit.
        var count = 0
        try await client.write("", to: "/w/last")
        while let event = try await events.next(), event != "/w/last" { count += 1 }
        #expect(count <= 4)
        await client.close()
        await server.stop()
    }

    @Test func aListingInPartsIsBounded() async throws {
        let part = Array(repeating: "name-of-forty-bytes-that-comes-for-ever", count: 100)
        let payload = "7\0" + part.map { $0 + "\0" }.joined()
        let asked = Recorder<Int>()
        let store = try FakeStore { peer in
            try peer.refuse("E2BIG", try peer.next())
            while true {
                let request = try peer.next()
                asked.note(request.payload.count)
                try peer.reply(payload, to: request)
            }
        }
        defer { store.end() }
        let client = try await Xenstore(to: .socket(store.path))
        let error = await #expect(throws: ClientError.self) { try await client.directory("/k") }
        #expect(error?.reason == .malformedReply)
        #expect(asked.all.count == ProtocolLimits.oversizedListing / (payload.utf8.count - 2) + 1)
    }

    @Test func aClientThatIsDroppedLeaves() async throws {
        let left = Signal<Int>()
        let store = try FakeStore { peer in
            try? peer.serve()
            left.tell(peer.number)
        }
        defer { store.end() }
        do {
            let client = try await Xenstore(to: .socket(store.path))
            _ = try await client.read("/k")
        }
        #expect(await left.next() == 0)
        do {
            let client = try await SharedConnection(to: .socket(store.path))
            _ = try await client.read("/k")
        }
        #expect(await left.next() == 1)
    }

    @Test func aStreamThatIsDroppedEndsItsWatch() async throws {
        let seen = Signal<String>()
        let store = try FakeStore { peer in
            while true {
                let request = try peer.next()
                if request.type == .unwatch { seen.tell(request.text) }
                try peer.reply("OK\0", to: request)
            }
        }
        defer { store.end() }
        let client = try await Xenstore(to: .socket(store.path))
        _ = try await client.watch("/w")
        #expect(await seen.next() == "/w")
        // What a wait has watched goes, too.
        _ = try? await client.wait(timeout: .milliseconds(10)) { handle in
            _ = try await handle.read("/c")
            throw ConditionNotMet()
        }
        #expect(await seen.next() == "/c")
    }

    @Test func whatWaitsForASlowStoreIsCancelledAlone() async throws {
        let asked = Signal<String>()
        let store = try FakeStore { peer in
            let slow = try peer.next()
            asked.tell(slow.text)
            let quick = try peer.next()
            try peer.reply("quick", to: quick)
            try peer.ignore()
        }
        defer { store.end() }
        let client = try await Xenstore(to: .socket(store.path))
        let slow = Task { try await client.read("/slow") }
        #expect(await asked.next() == "/slow")
        slow.cancel()
        let error = await #expect(throws: ClientError.self) { try await slow.value }
        #expect(error == ClientError(.read, path: "/slow", .cancelled))
        #expect(try await client.readText("/quick") == "quick")
        let late = await #expect(throws: ClientError.self) {
            try await client.immediate.within(.milliseconds(20)).read("/late")
        }
        #expect(late?.reason == .timedOut)
        await client.close()
        let closed = await #expect(throws: ClientError.self) { try await client.read("/k") }
        #expect(closed?.reason == .disconnected)
    }

    @Test func aStoreThatIsSlowToAcceptIsWaitedFor() async throws {
        let store = try FakeStore(backlog: 0) { try $0.serve() }
        defer { store.end() }
        let address = StoreAddress.socket(store.path)
        // One is served, and one more may wait.
        var others = [try SocketConversation(path: store.path)]
        try others[0].send(Message(.read, payload: Array("/k\0".utf8)))
        #expect(try others[0].receive()?.text == "/k")
        others.append(try SocketConversation(path: store.path))
        let configuration = ConnectionConfiguration(stallTimeout: .milliseconds(20))
        await #expect(throws: Errno.wouldBlock) {
            try await Xenstore(to: address, configuration: configuration)
        }
        async let client = Xenstore(to: address)
        others = []
        #expect(try await client.readText("/k") == "/k")
    }
}
