import MountSupport
import Reactor
import Testing
import TestSupport
import XenstoreClient
import XenstoreProtocol

/// Events that a client leaves in its socket for a while.
@Suite(.timeLimit(.minutes(2)))
struct HoldTests {
    /// A connection with a watch, which after each event wants to leave the next ones for
    /// `duration`; has `body` change keys, and wait for the events.
    private func withHold(
        _ kind: StoreKind,
        for duration: Duration,
        _ body: @escaping @Sendable (StoreConnection, Signal<String>) async throws -> Void
    ) async throws {
        try await Shell.use { shell in
            let store = try await TestStore.start(kind, in: shell)
            let result = await Result(catching: {
                try await withConnection(to: store.socket) { connection in
                    let events = Signal<String>()
                    connection.onEvent = { [unowned connection] event in
                        // The first tells that the watch is set.
                        if event.path != "/t" { connection.deferReading(for: duration) }
                        events.tell(event.path.text)
                    }
                    _ = try await connection.send(.watch("/t", token: [1]), in: .none)
                    #expect(await events.next() == "/t")
                    try await body(connection, events)
                }
            })
            try await store.stop()
            try result.get()
        }
    }

    private func write(_ path: XenstorePath, by connection: StoreConnection) async throws {
        let address = connection.address
        guard case .socket(let socket) = address else { return }
        try await withConnection(to: socket) { other in
            _ = try await other.send(.write(path, value: [1]), in: .none)
        }
    }

    @Test(arguments: [StoreKind.served, .xenstored])
    func theyComeLater(kind: StoreKind) async throws {
        try await withHold(kind, for: .milliseconds(300)) { connection, events in
            try await write("/t/first", by: connection)
            #expect(await events.next() == "/t/first")
            let start = ContinuousClock.now
            try await write("/t/second", by: connection)
            #expect(await events.next() == "/t/second")
            #expect(start.duration(to: .now) > .milliseconds(200))
        }
    }

    @Test(arguments: [StoreKind.served, .xenstored])
    func theyComeBeforeAnAnswer(kind: StoreKind) async throws {
        try await withHold(kind, for: .seconds(600)) { connection, events in
            try await write("/t/first", by: connection)
            #expect(await events.next() == "/t/first")
            try await write("/t/second", by: connection)
            _ = try await connection.send(.read("/t/second"), in: .none)
            #expect(await events.next() == "/t/second")
        }
    }

    /// It would have those wait who make the events.
    @Test func oxenstoredIsNotKeptWaiting() async throws {
        try await withHold(.oxenstored, for: .seconds(600)) { connection, events in
            for name in ["a", "b", "c"] {
                let path = try XenstorePath("/t/\(name)")
                try await write(path, by: connection)
                #expect(await events.next() == path.text)
            }
        }
    }
}
