import TestSupport
import Testing
import XenstoreClient
import XenstoreProtocol

/// What the other side of the connection may do, right and wrong.
@Suite(.timeLimit(.minutes(1)))
struct PeerTests {
    @Test func repliesInPieces() async throws {
        let store = try FakeStore { peer in
            while true {
                let request = try peer.next()
                for byte in answer(request.text, to: request).bytes {
                    try peer.conversation.send([byte])
                }
            }
        }
        defer { store.end() }
        let client = try await SharedConnection(to: .socket(store.path))
        for _ in 0..<20 {
            #expect(try await client.read("/a/value") == Array("/a/value".utf8))
        }
    }

    @Test func repliesInAnotherOrder() async throws {
        let store = try FakeStore { peer in
            while true {
                let requests = try (0..<50).map { _ in try peer.next() }
                for request in requests.reversed() { try peer.reply(request.text, to: request) }
            }
        }
        defer { store.end() }
        let client = try await SharedConnection(to: .socket(store.path))
        let paths = (0..<50).map { XenstorePath(stringLiteral: "/k/\($0)") }
        for _ in 0..<5 {
            let answers = await client.send(paths.map { .read($0) }, in: .none)
            #expect(answers == paths.map { .success(Array($0.text.utf8)) })
        }
    }

    /// C xenstored from 4.18 on has them.
    @Test func anEventOfAPathThatIsTooLong() async throws {
        let store = try FakeStore { peer in
            let watch = try peer.next()
            try peer.reply("OK\0", to: watch)
            let token = watch.payload.split(separator: 0).last ?? []
            for path in ["/t", "/t/" + String(repeating: "x", count: 3500)] {
                let payload = Array(path.utf8) + [0] + token + [0]
                try peer.conversation.send(Message(.watchEvent, payload: payload))
            }
            try peer.serve()
        }
        defer { store.end() }
        let client = try await Xenstore(to: .socket(store.path))
        var events = try await client.watch("/t").makeAsyncIterator()
        #expect(try await events.next() == "/t")
        #expect(try await events.next() == "/t")
        // By the same connection: the store takes no other before this one ends.
        #expect(try await client.read("/k") == Array("/k".utf8))
        await client.close()
    }

    @Test func aCancelledCallerIsFreeAtOnce() async throws {
        let store = try FakeStore { peer in
            let abandoned = try peer.next()
            let second = try peer.next()
            // Only now comes the answer that nobody waits for.
            try peer.reply("late", to: abandoned)
            try peer.reply("second", to: second)
            try peer.serve()
        }
        defer { store.end() }
        let client = try await SharedConnection(to: .socket(store.path))
        let task = Task { try await client.read("/first") }
        task.cancel()
        await #expect(throws: XenstoreError.cancelled) { try await task.value }
        #expect(try await client.read("/second") == Array("second".utf8))
        #expect(try await client.read("/third") == Array("/third".utf8))
    }

    @Test func aCancelledBatchIsFreeAtOnce() async throws {
        let store = try FakeStore { peer in
            try peer.reply("one", to: try peer.next())
            let abandoned = try peer.next()
            let next = try peer.next()
            try peer.reply("late", to: abandoned)
            try peer.reply("next", to: next)
        }
        defer { store.end() }
        let client = try await SharedConnection(to: .socket(store.path))
        let task = Task { await client.send([.read("/one"), .read("/two")], in: .none) }
        task.cancel()
        let answers = await task.value
        #expect(answers.last == .failure(.cancelled))
        #expect(try await client.read("/next") == Array("next".utf8))
    }

    @Test func theReplyBeforeAnEventIsHandledBeforeIt() async throws {
        let store = try FakeStore { peer in
            while true {
                let request = try peer.next()
                let event = Message(.watchEvent, payload: Array("/e\0t\0".utf8))
                try peer.conversation.send(
                    event.bytes + answer("v", to: request).bytes + event.bytes
                )
            }
        }
        defer { store.end() }
        try await withConnection(to: store.path) { connection in
            let log = Recorder<String>()
            connection.onEvent = { log.note("event \($0.path)") }
            for _ in 0..<3 {
                _ = try await connection.read("/k")
                log.note("reply")
            }
            let turn = ["event /e", "reply", "event /e"]
            #expect(log.all == Array((turn + turn + turn).dropLast()))
        }
    }

    @Test func noMoreAreOnTheirWayThanTheLimit() async throws {
        let most = Recorder<Int>()
        let store = try FakeStore { peer in
            var unanswered = [try peer.next()]
            var served = 0
            while served < 60 {
                // What comes without an answer comes at once.
                while let request = try peer.conversation.receive(within: 10) {
                    unanswered.append(request)
                }
                most.note(unanswered.count)
                if unanswered.isEmpty { unanswered.append(try peer.next()) }
                let request = unanswered.removeFirst()
                try peer.reply(request.text, to: request)
                served += 1
            }
            try peer.ignore()
        }
        defer { store.end() }
        let configuration = ConnectionConfiguration(outstandingLimit: 4)
        let client = try await SharedConnection(
            to: .socket(store.path),
            configuration: configuration
        )
        let paths = (0..<60).map { XenstorePath(stringLiteral: "/k/\($0)") }
        let answers = await client.send(paths.map { .read($0) }, in: .none)
        #expect(answers == paths.map { .success(Array($0.text.utf8)) })
        #expect(most.all.max() == 4)
    }

    @Test func whatIsTooLargeIsNotSent() async throws {
        let store = try FakeStore { try $0.serve() }
        defer { store.end() }
        let client = try await SharedConnection(to: .socket(store.path))
        await #expect(throws: XenstoreError.tooLarge) {
            try await client.write(Array(repeating: 1, count: 4094), to: "/k")
        }
        let requests: [Request] = [
            .read("/a"), .write("/k", value: Array(repeating: 1, count: 5000)),
        ]
        #expect(
            await client.send(requests, in: .none)
                == [.success(Array("/a".utf8)), .failure(.tooLarge)]
        )
        #expect(try await client.read("/b") == Array("/b".utf8))
    }
}
