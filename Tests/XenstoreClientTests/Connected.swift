import Reactor
import XenstoreClient
import XenstoreProtocol
import XenstoreServer
import XenstoreStore

/// Runs the body on a loop's thread, with a connection to a socket.
func withConnection(
    to path: String,
    _ configuration: ConnectionConfiguration = ConnectionConfiguration(),
    _ body: @Sendable (StoreConnection) async throws -> Void
) async throws {
    let loop = try EventLoop.startThread()
    defer { loop.stop() }
    try await withTaskExecutorPreference(loop) {
        let connection = try StoreConnection(
            to: .socket(path),
            on: loop,
            configuration: configuration
        )
        defer { connection.close() }
        try await body(connection)
    }
}

/// Our server, on a loop's thread.
final class RunningServer: Sendable {
    private final class Holder {
        var server: StoreServer?
        init(_ server: StoreServer) { self.server = server }
    }

    let path: String
    private let loop: EventLoop
    private let holder: LoopBound<Holder>

    init(at path: String = temporarySocketPath()) async throws {
        let loop = try EventLoop.startThread()
        self.path = path
        self.loop = loop
        holder = try await withTaskExecutorPreference(loop) {
            let host = StoreHost(store: Store())
            return LoopBound(Holder(try StoreServer(host, at: path, on: loop)), to: loop)
        }
    }

    var sessionCount: Int {
        get async {
            await withTaskExecutorPreference(loop) { holder.value.server?.sessionCount ?? 0 }
        }
    }

    /// Closes all connections and takes the socket away.
    func stop() async {
        await withTaskExecutorPreference(loop) { holder.value.server?.close() }
        loop.stop()
    }

    /// Forgets the server without closing it.
    func drop() async {
        await withTaskExecutorPreference(loop) { holder.value.server = nil }
        loop.stop()
    }
}

extension StoreConnection {
    /// Waits until it has connected again.
    func reconnection() async {
        await withUnsafeContinuation { continuation in
            onReconnect = { [unowned self] in
                onReconnect = {}
                continuation.resume()
            }
        }
    }

    /// Waits until it has lost the connection.
    func disconnection() async -> DisconnectReason {
        await withUnsafeContinuation { continuation in
            onDisconnect = { [unowned self] reason in
                onDisconnect = { _ in }
                continuation.resume(returning: reason)
            }
        }
    }
}
