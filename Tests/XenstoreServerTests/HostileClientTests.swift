import MountSupport
import TestSupport
import Testing
import XenstoreProtocol

/// Clients that break the protocol, or do not read: they hurt themselves alone.
@Suite(.timeLimit(.minutes(2)))
struct HostileClientTests {
    private static let memoryBound = 64 << 20

    private func header(_ type: UInt32, length: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        MessageHeader(
            rawType: type,
            requestID: RequestID(1),
            transactionID: .none,
            length: length
        ).encode(into: &bytes)
        return bytes
    }

    @Test(arguments: [4097, 5000, UInt32.max])
    func aLengthThatIsTooGreat(length: UInt32) async throws {
        try await withServer { server in
            let witness = try server.connect()
            try server.expectAlive(witness)
            let client = try server.connect()
            try client.send(header(MessageType.read.rawValue, length: length))
            #expect(try client.end())
            try server.expectAlive(witness)
        }
    }

    /// oxenstored has an error for it where C xenstored hangs up; ours does that too, beyond
    /// 64 KiB.
    @Test func aLengthThatIsTooGreatForOxenstored() async throws {
        try await Shell.use { shell in
            try await withServing(["--compatibility", "oxenstored"], shell) { server in
                let client = try server.connect()
                let value = [UInt8](repeating: 0x78, count: 60_000)
                try client.send(Message(.write, payload: Array("/k\0".utf8) + value))
                #expect(try client.receive()?.payload == Array("E2BIG\0".utf8))
                try server.expectAlive(client)
                try client.send(header(MessageType.read.rawValue, length: 65537))
                #expect(try client.end())
            }
        }
    }

    @Test func halfAMessageAndAnEnd() async throws {
        try await withServer { server in
            let witness = try server.connect()
            var whole: [UInt8] = []
            Message(.write, payload: Array("/half\0written".utf8)).encode(into: &whole)
            for size in 1..<whole.count {
                try server.connect().send(Array(whole[..<size]))
            }
            try server.expectAlive(witness)
            try await server.expect("xenstore-exists /half || echo no", prints: "no\n")
        }
    }

    @Test func garbage() async throws {
        try await withServer { server in
            let witness = try server.connect()
            for seed in 0..<300 {
                var random = SplitMix64(seed: UInt64(seed))
                let client = try server.connect()
                var bytes: [UInt8] = []
                for _ in 0..<random.below(8) {
                    let size = random.below(40)
                    bytes += header(UInt32(random.below(30)), length: UInt32(size))
                    // Half of it begins like a path.
                    bytes += random.happens(percent: 50) ? Array("/a\0".utf8) : []
                    bytes += random.bytes(size)
                }
                bytes += random.bytes(random.below(2000))
                // The server may have cut it already.
                try? client.send(bytes)
                try server.expectAlive(witness)
            }
            #expect(try server.memory() < Self.memoryBound)
        }
    }

    @Test func aClientThatNeverReadsItsReplies() async throws {
        try await withServer { server in
            try await server.expect("xenstore-write /big $(printf %03000d 0)", prints: "")
            let witness = try server.connect()
            let client = try server.connect()
            var request: [UInt8] = []
            Message(.read, payload: Array("/big\0".utf8)).encode(into: &request)
            let requests = Array(repeatElement(request, count: 1000).joined())
            // Until the server takes no more, and the pipe between them is full.
            var isFull = false
            for _ in 0..<10_000 where !isFull {
                isFull = client.sendWhatFits(requests) == 0
                try server.expectAlive(witness)
            }
            #expect(isFull)
            #expect(try server.memory() < Self.memoryBound)
            #expect(try client.receive()?.payload.count == 3000)
        }
    }

    /// A guest is not listened to while 20 answers wait for it, however small they are.
    @Test func aGuestThatNeverReadsItsReplies() async throws {
        try await Shell.use { shell in
            let path = shell.directory + "/guest"
            try await withServing(["--domain", "5=\(path)"], shell) { server in
                let witness = try server.connect()
                let guest = try SocketConversation(path: path)
                var request: [UInt8] = []
                Message(.getDomainPath, payload: Array("5\0".utf8)).encode(into: &request)
                let requests = Array(repeatElement(request, count: 1000).joined())
                var isFull = false
                for _ in 0..<10_000 where !isFull {
                    isFull = guest.sendWhatFits(requests) == 0
                    try server.expectAlive(witness)
                }
                #expect(isFull)
                try await eventually("20 answers wait, and no more") {
                    try witness.send(Message(.control, payload: Array("quota\05\0".utf8)))
                    let report = try witness.receive()?.payload ?? []
                    return String(decoding: report, as: UTF8.self)
                        .contains("outstanding     :       20\n")
                }
                #expect(try guest.receive()?.payload == Array("/local/domain/5\0".utf8))
            }
        }
    }

    /// The one that reads just as fast as it asks, so that its line never gets empty.
    @Test func aClientThatNeverCatchesUp() async throws {
        try await withServer { server in
            try await server.expect("xenstore-write /big $(printf %03000d 0)", prints: "")
            let client = try server.connect()
            var request: [UInt8] = []
            Message(.read, payload: Array("/big\0".utf8)).encode(into: &request)
            var sent = 0
            for _ in 0..<40_000 {
                while client.sendWhatFits(request) > 0 { sent += 1 }
                try #require(try client.receive()?.payload.count == 3000)
            }
            #expect(sent > 40_000)
            #expect(try server.memory() < Self.memoryBound)
        }
    }

    /// The one that reads events just as fast as they come, with many in front of it.
    @Test func aWatcherThatNeverCatchesUp() async throws {
        try await withServer { server in
            let watcher = try server.connect()
            let token = String(repeating: "t", count: 2000)
            try watcher.send(Message(.watch, payload: Array("/\0\(token)\0".utf8)))
            #expect(try watcher.receive()?.type == .watch)
            let writer = try server.connect()
            let path = "/" + String(repeating: "k", count: 2000)
            for round in 0..<20_000 {
                try writer.send(Message(.write, payload: Array("\(path)\0".utf8)))
                try #require(try writer.receive()?.type == .write)
                guard round > 500 else { continue }
                try #require(try watcher.receive()?.type == .watchEvent)
            }
            #expect(try server.memory() < Self.memoryBound)
        }
    }

    @Test func aWatcherThatNeverReads() async throws {
        try await withServer { server in
            let watcher = try server.connect()
            let token = String(repeating: "t", count: 1000)
            try watcher.send(Message(.watch, payload: Array("/\0\(token)\0".utf8)))
            let writer = try server.connect()
            let path = "/" + String(repeating: "k", count: 1000)
            // Twice of what may wait for one connection, and none that equals one that waits.
            for number in 0..<4000 {
                try writer.send(Message(.write, payload: Array("\(path)\(number)\0".utf8)))
                try #require(try writer.receive()?.type == .write)
            }
            try server.expectAlive(writer)
            #expect(try server.memory() < Self.memoryBound)
            #expect(try watcher.end(), "a watcher that does not read is cut")
        }
    }

    @Test func moreThanAThousandConnections() async throws {
        try await withServer { server in
            let before = try server.memory()
            let clients = try (0..<1200).map { _ in try server.connect() }
            for (number, client) in clients.enumerated() {
                try client.send(Message(.write, payload: Array("/n/\(number)\0\(number)".utf8)))
            }
            for client in clients {
                try #require(try client.receive()?.type == .write)
            }
            try await server.expect("xenstore-list /n | wc -l", prints: "1200\n")
            #expect(try server.memory() - before < clients.count * 4096, "4 KiB for each")
        }
    }

    @Test func aFloodOfRequestsLeavesRoomForOthers() async throws {
        try await withServer { server in
            let witness = try server.connect()
            let flood = try server.connect()
            var request: [UInt8] = []
            Message(.write, payload: Array("/flood\0x".utf8)).encode(into: &request)
            let requests = Array(repeatElement(request, count: 20_000).joined())
            // All of them are on their way, and more than are read in one turn.
            #expect(flood.sendWhatFits(requests) > 65_536)
            let before = ContinuousClock.now
            try server.expectAlive(witness)
            #expect(ContinuousClock.now - before < .seconds(5))
            #expect(try server.memory() < Self.memoryBound)
        }
    }
}
