import Glibc
import MountSupport
import TestSupport
import Testing
import XenstoreProtocol

/// A store of ours, served by a process of its own.
struct Served {
    let store: TestStore
    /// The xenstore-* programs find the store; its socket is `$S`.
    let shell: Shell

    /// Runs a script that must succeed without a complaint.
    func expect(
        _ script: String,
        prints expected: String,
        location: SourceLocation = #_sourceLocation
    ) async throws {
        let result = try await shell.run(script)
        #expect(
            result.status == .exited(0) && result.errors.isEmpty && result.output == expected,
            "\(script): \(result)",
            sourceLocation: location
        )
    }

    func connect() throws -> SocketConversation { try SocketConversation(path: store.socket) }

    /// Expects that a client which behaves is served.
    func expectAlive(
        _ client: SocketConversation,
        location: SourceLocation = #_sourceLocation
    ) throws {
        try client.send(Message(.read, requestID: RequestID(77), payload: Array("/tool\0".utf8)))
        var reply = try client.receive()
        while reply?.type == .watchEvent { reply = try client.receive() }
        #expect(reply?.type == .read && reply?.requestID == RequestID(77), sourceLocation: location)
    }

    /// How long the server has worked, on whatever else the machine does.
    func worked() throws -> Duration {
        let status = readFile("/proc/\(store.process.id)/schedstat") ?? ""
        let time = status.split(separator: " ").first.flatMap { Int($0) }
        return .nanoseconds(try #require(time, "the server is gone"))
    }

    /// Bytes of memory that the server holds.
    func memory() throws -> Int {
        let status = readFile("/proc/\(store.process.id)/status") ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        let size = line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return try #require(size, "the server is gone") * 1024
    }
}

/// Starts `xsfs serve`, runs the body, and ends it.
func withServer(_ body: (Served) async throws -> Void) async throws {
    try await Shell.use { shell in
        let store = try await TestStore.start(.served, in: shell)
        let tools = shell.adding(["S": store.socket, "XENSTORED_PATH": store.socket])
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(Served(store: store, shell: tools)))
        } catch {
            result = .failure(error)
        }
        try await store.stop()
        try result.get()
    }
}

/// Starts `xsfs serve` with more arguments in a place that stays, runs the body, and ends it.
func withServing<Result>(
    _ arguments: [String],
    by starter: [String] = [],
    endsWith signal: Int32 = SIGTERM,
    _ shell: Shell,
    _ body: (Served) async throws -> Result
) async throws -> Result {
    let store = try await TestStore.startServing(arguments, by: starter, in: shell)
    let tools = shell.adding(["S": store.socket, "XENSTORED_PATH": store.socket])
    let result: Swift.Result<Result, any Error>
    do {
        result = .success(try await body(Served(store: store, shell: tools)))
    } catch {
        result = .failure(error)
    }
    store.process.signal(signal)
    if try await store.process.wait(upTo: .seconds(20)) == nil { try await store.stop() }
    return try result.get()
}
