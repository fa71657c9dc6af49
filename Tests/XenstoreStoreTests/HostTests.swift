import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

/// Users of a store in the same process.
struct HostTests {
    let host = StoreHost(store: Store())

    @Test func aConnectionIsAnAccess() async throws {
        let connection = InProcessConnection(host: host)
        try await connection.write(Array("v".utf8), to: "/a/b")
        #expect(try await connection.read("/a/b") == Array("v".utf8))
        #expect(try await connection.directory("/a") == ["b"])
        let answers = await connection.send([.read("/a/b"), .read("/none")], in: .none)
        #expect(answers == [.success(Array("v".utf8)), .failure(.refused(.noEntry))])
        await #expect(throws: XenstoreError.refused(.noEntry)) {
            try await connection.read("/none")
        }
    }

    @Test func listingsComeInPartsWhereTheyMust() async throws {
        let connection = InProcessConnection(host: host)
        let names = (0..<3000).map { "n\($0)" }
        for name in names {
            try await connection.makeDirectory(XenstorePath(stringLiteral: "/big/\(name)"))
        }
        #expect(try await connection.directory("/big") == names)
    }

    @Test func transactionsRetryOnConflict() async throws {
        let connection = InProcessConnection(host: host)
        let other = InProcessConnection(host: host)
        var attempts = 0
        try await connection.transaction(attempts: 3) { transaction throws(XenstoreError) in
            attempts += 1
            _ = try await connection.read("/tool", in: transaction)
            if attempts < 3 { other.post(.write("/tool", value: []), in: .none) }
            try await connection.write([1], to: "/done", in: transaction)
            return .commit(())
        }
        #expect(attempts == 3)
        #expect(try await other.read("/done") == [1])
        #expect(host.store.transactionCount == 0)
    }

    @Test func eventsWaitToBeTakenAndEqualOnesAreOne() async throws {
        let watcher = InProcessConnection(host: host)
        let writer = InProcessConnection(host: host)
        var calls = 0
        watcher.onEventsPending = { calls += 1 }
        _ = try await watcher.send(.watch("/a", "t"), in: .none)
        #expect(calls == 1)
        #expect(watcher.takeEvents().map(\.path) == ["/a"])
        for _ in 0..<5 { try await writer.write([], to: "/a/b") }
        try await writer.write([], to: "/a/c")
        #expect(calls == 2)
        #expect(watcher.takeEvents().map(\.path) == ["/a/b", "/a/c"])
        #expect(watcher.takeEvents().isEmpty)
        try await writer.write([], to: "/a/b")
        #expect(calls == 3)
        #expect(!watcher.takeEventsLost())
    }

    @Test func eventsBeyondTheLimitAreLostAndToldSo() async throws {
        let watcher = InProcessConnection(host: host)
        let writer = InProcessConnection(host: host)
        _ = try await watcher.send(.watch("/", "t"), in: .none)
        for index in 0...InProcessConnection.maximumPendingEvents {
            writer.post(.makeDirectory(XenstorePath(stringLiteral: "/n/\(index)")), in: .none)
        }
        #expect(watcher.takeEventsLost())
        #expect(!watcher.takeEventsLost())
        #expect(watcher.takeEvents().count == InProcessConnection.maximumPendingEvents)
        try await writer.write([], to: "/again")
        #expect(watcher.takeEvents().count == 1)
    }

    @Test func whatIsTooLargeIsNotSent() {
        let connection = InProcessConnection(host: host)
        let value = [UInt8](repeating: 0, count: 4093)
        #expect(connection.perform(.write("/ab", value: value)) == .failure(.tooLarge))
        #expect(
            connection.perform(.write("/ab", value: value.dropLast())) == .success([0x4F, 0x4B, 0])
        )
    }

    @Test func aClosedConnectionLeavesNothing() async throws {
        var connection: InProcessConnection? = InProcessConnection(host: host)
        _ = connection?.perform(.watch("/", "t"))
        _ = connection?.perform(.transactionStart)
        connection?.close()
        #expect(connection?.perform(.read("/")) == .failure(.disconnected))
        #expect(host.store.connectionCount == 0)
        connection = InProcessConnection(host: host)
        #expect(host.store.connectionCount == 1)
        connection = nil
        #expect(host.store.connectionCount == 0)
        #expect(host.store.watchCount == 0)
    }

    @Test func aReleasedDomainsConnectionEnds() async throws {
        let dom0 = InProcessConnection(host: host)
        let guest = InProcessConnection(host: host, as: DomainID(4))
        var isClosed = false
        guest.onClose = { isClosed = true }
        _ = dom0.perform(.introduce(DomainID(4), frame: 1, eventChannel: 1))
        _ = dom0.perform(.release(DomainID(4)))
        #expect(isClosed)
        #expect(guest.perform(.read("/")) == .failure(.disconnected))
    }

    @Test func aSinkMayAskFromInside() {
        let writer = InProcessConnection(host: host)
        var received: [String] = []
        var id: ConnectionID?
        id = host.attach(as: .privileged) { delivery in
            guard case .message(let message) = delivery else { return }
            let text = String(decoding: message.payload, as: UTF8.self)
            received.append(text)
            if text.hasPrefix("/a"), let id {
                host.receive(Message(.read, payload: Array("/a\0".utf8)), from: id)
                #expect(writer.perform(.read("/a")) == .success([0x76]))
            }
        }
        guard let id else { return }
        host.receive(Message(.watch, payload: Array("/\0t\0".utf8)), from: id)
        _ = writer.perform(.write("/a", "v"))
        #expect(received == ["OK\0", "/\0t\0", "/a\0t\0", "v"])
        host.detach(id)
        #expect(!host.isAttached(id))
    }
}
