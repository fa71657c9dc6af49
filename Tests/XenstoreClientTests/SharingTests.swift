import Testing
import TestSupport
import XenstoreClient
import XenstoreProtocol

/// One connection that many tasks share, to our own server.
@Suite(.timeLimit(.minutes(1)))
struct SharingTests {
    @Test func manyTasksShareOneConnection() async throws {
        let server = try await RunningServer()
        let client = try await SharedConnection(to: .socket(server.path))
        for task in 0..<200 {
            let path = XenstorePath(stringLiteral: "/t/\(task)")
            try await client.write(Array("value \(task)".utf8), to: path)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<200 {
                group.addTask {
                    let path = XenstorePath(stringLiteral: "/t/\(task)")
                    for _ in 0..<50 {
                        let value = try await client.read(path)
                        #expect(value == Array("value \(task)".utf8))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(await server.sessionCount == 1)
        await server.stop()
    }

    @Test func aBatchHasItsAnswersInItsOrder() async throws {
        let server = try await RunningServer()
        let client = try await SharedConnection(to: .socket(server.path))
        let numbers = 0..<3000
        let writes = numbers.map {
            Request.write(XenstorePath(stringLiteral: "/b/\($0)"), "\($0)")
        }
        #expect(
            await client.send(writes, in: .none) == writes.map { _ in .success(Array("OK\0".utf8)) }
        )
        let reads = numbers.map { Request.read(XenstorePath(stringLiteral: "/b/\($0 * 2)")) }
        let answers = await client.send(reads, in: .none)
        for (number, found) in zip(numbers, answers) {
            let value = Array("\(number * 2)".utf8)
            #expect(found == (number < 1500 ? .success(value) : .failure(.refused(.noEntry))))
        }
        #expect(await client.send([], in: .none) == [])
        let names = try await client.directory("/b")
        #expect(names == numbers.map(String.init))
        await server.stop()
    }

    @Test func postsGoBeforeWhatFollows() async throws {
        let server = try await RunningServer()
        try await withConnection(to: server.path) { connection in
            connection.post(.write("/p", "posted"), in: .none)
            let value = try await connection.read("/p")
            #expect(value == Array("posted".utf8))
        }
        await server.stop()
    }

    @Test func eventsComeInOrder() async throws {
        let server = try await RunningServer()
        try await withConnection(to: server.path) { connection in
            let events = Recorder<String>()
            connection.onEvent = { events.note($0.path.text) }
            _ = try await connection.send(.watch("/e", "t"), in: .none)
            let writes = (0..<100).map {
                Request.write(XenstorePath(stringLiteral: "/e/\($0)"), "")
            }
            _ = await connection.send(writes, in: .none)
            // What was caused before this answer has come before it.
            _ = try await connection.read("/e")
            #expect(events.all == ["/e"] + (0..<100).map { "/e/\($0)" })
        }
        await server.stop()
    }

    @Test func itConnectsAgainToAServerThatComesBack() async throws {
        let server = try await RunningServer()
        let path = server.path
        try await withConnection(to: path) { connection in
            try await connection.write([], to: "/a")
            Task { await server.stop() }
            #expect(await connection.disconnection() == .endOfStream)
            #expect(!connection.isConnected)
            await #expect(throws: XenstoreError.disconnected) { try await connection.read("/") }
            let again = Task { try await RunningServer(at: path) }
            await connection.reconnection()
            #expect(connection.isConnected)
            let value = try await connection.read("/")
            #expect(value == [])
            try await again.value.stop()
        }
    }

    @Test func aServerMayBeDroppedWithItsConnections() async throws {
        let path: String
        do {
            let server = try await RunningServer()
            path = server.path
            let client = try SocketConversation(path: path)
            try client.send(Message(.read, payload: Array("/\0".utf8)))
            #expect(try client.receive()?.type == .read)
            await server.drop()
            #expect(try client.end())
        }
        #expect(throws: SocketConversation.Failure.self) { try SocketConversation(path: path) }
    }
}
