import SystemPackage
import TestSupport
import Testing
import XenstoreClient
import XenstoreProtocol

/// Connections that end, and come back.
@Suite(.timeLimit(.minutes(1)))
struct FailureTests {
    /// What a store does instead of a good reply.
    enum Fault: CaseIterable {
        case close, halfAMessage, tooLong, nobodyAsked, wrongType, malformedEvent, unknownType

        func bytes(_ request: Message) -> [UInt8] {
            let good = answer("v", to: request)
            switch self {
            case .close: return []
            case .halfAMessage: return Array(good.bytes.dropLast())
            case .tooLong: return header(request, length: 4097) + Array(repeating: 0, count: 4097)
            case .nobodyAsked:
                return Message(.read, requestID: RequestID(999), payload: []).bytes
            case .wrongType:
                return Message(.write, requestID: request.requestID, payload: []).bytes
            case .malformedEvent: return Message(.watchEvent, payload: [0x2F]).bytes
            case .unknownType:
                return Message(rawType: 77, requestID: request.requestID, payload: []).bytes
            }
        }

        func header(_ request: Message, length: UInt32) -> [UInt8] {
            var bytes: [UInt8] = []
            MessageHeader(
                rawType: request.rawType,
                requestID: request.requestID,
                transactionID: .none,
                length: length
            ).encode(into: &bytes)
            return bytes
        }

        func isReason(_ reason: DisconnectReason) -> Bool {
            switch (self, reason) {
            case (.close, .endOfStream), (.halfAMessage, .endOfStream),
                (.tooLong, .violation(.payloadTooLong)),
                (.nobodyAsked, .violation(.unexpectedReply)),
                (.wrongType, .violation(.wrongReplyType)),
                (.unknownType, .violation(.wrongReplyType)),
                (.malformedEvent, .violation(.malformedPayload)):
                true
            default: false
            }
        }
    }

    @Test(arguments: Fault.allCases)
    func aFaultEndsTheConnectionAndItComesBack(fault: Fault) async throws {
        let store = try FakeStore { peer in
            guard peer.number == 0 else { return try peer.serve() }
            let request = try peer.next()
            _ = try peer.next()
            _ = try peer.next()
            try peer.conversation.send(fault.bytes(request))
            if fault != .close && fault != .halfAMessage { try peer.ignore() }
        }
        defer { store.end() }
        try await withConnection(to: store.path) { connection in
            let ends = Recorder<DisconnectReason>()
            connection.onDisconnect = { ends.note($0) }
            let requests: [Request] = [.read("/a"), .read("/b"), .read("/c")]
            let answers = await connection.send(requests, in: .none)
            #expect(answers == requests.map { _ in .failure(.disconnected) })
            #expect(ends.all.count == 1 && ends.all.allSatisfy(fault.isReason), "\(ends.all)")
            await #expect(throws: XenstoreError.disconnected) { try await connection.read("/a") }
            await connection.reconnection()
            let value = try await connection.read("/a")
            #expect(value == Array("/a".utf8))
        }
    }

    @Test(arguments: 0..<50)
    func garbage(seed: UInt64) async throws {
        let store = try FakeStore { peer in
            guard peer.number == 0 else { return try peer.serve() }
            _ = try peer.next()
            var random = SplitMix64(seed: seed)
            for _ in 0..<20 { try peer.conversation.send(random.bytes(1 + random.below(500))) }
        }
        defer { store.end() }
        try await withConnection(to: store.path) { connection in
            await #expect(throws: XenstoreError.disconnected) { try await connection.read("/a") }
            await connection.reconnection()
            let value = try await connection.read("/a")
            #expect(value == Array("/a".utf8))
        }
    }

    @Test func aSilentStoreIsGivenUp() async throws {
        let store = try FakeStore { peer in
            guard peer.number == 0 else { return try peer.serve() }
            try peer.reply("fine", to: try peer.next())
            try peer.ignore()
        }
        defer { store.end() }
        let configuration = ConnectionConfiguration(stallTimeout: .seconds(2))
        try await withConnection(to: store.path, configuration) { connection in
            let ends = Recorder<DisconnectReason>()
            connection.onDisconnect = { ends.note($0) }
            let first = try await connection.read("/a")
            #expect(first == Array("fine".utf8))
            await #expect(throws: XenstoreError.timedOut) { try await connection.read("/b") }
            #expect(ends.all == [.stalled])
            await connection.reconnection()
            let value = try await connection.read("/c")
            #expect(value == Array("/c".utf8))
        }
    }

    @Test func aStoreThatClosesAtOnceIsTriedLessAndLess() async throws {
        let times = Recorder<ContinuousClock.Instant>()
        let store = try FakeStore { _ in times.note(.now) }
        defer { store.end() }
        let configuration = ConnectionConfiguration(
            reconnectDelay: .milliseconds(10)...(.milliseconds(100))
        )
        try await withConnection(to: store.path, configuration) { connection in
            for _ in 0..<6 { await connection.reconnection() }
        }
        let first = try #require(times.all.first)
        let last = try #require(times.all.dropFirst(5).first)
        // 20, 40, 80, 100 and 100 milliseconds, or the first of them 10.
        #expect(last - first >= .milliseconds(300))
    }

    @Test func aStoreThatIsNotThereIsAnError() async throws {
        await #expect(throws: Errno.noSuchFileOrDirectory) {
            _ = try await SharedConnection(to: .socket("/tmp/xsfs-no-such-socket"))
        }
    }

    @Test func aClosedConnectionAnswersAndStaysClosed() async throws {
        let store = try FakeStore { try $0.ignore() }
        defer { store.end() }
        try await withConnection(to: store.path) { connection in
            let ends = Recorder<DisconnectReason>()
            connection.onDisconnect = { ends.note($0) }
            connection.onEvent = { _ in }
            connection.post(.read("/a"), in: .none)
            connection.close()
            connection.close()
            #expect(ends.all == [.closed])
            await #expect(throws: XenstoreError.disconnected) { try await connection.read("/a") }
        }
    }
}
