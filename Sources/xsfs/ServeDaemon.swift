import EventLoop
import Glibc
import SystemPackage
import XenstoreServer

/// A store that is served without a mount.
struct ServeDaemon {
    private let store: EmbeddedStore
    private let path: String

    init(_ store: EmbeddedStore, at path: String) {
        self.store = store
        self.path = path
    }

    /// Serves until SIGTERM or SIGINT.
    func run() throws {
        SignalSource.ignoreBrokenPipes()
        let loop = try EventLoop()
        let server = try listen(store, at: path, on: loop)
        try SignalSource.add([SIGTERM, SIGINT], to: loop) { _ in loop.stop() }
        loop.run()
        server.close()
    }
}

/// Serves an embedded store on a socket.
///
/// - Throws: ``CommandError`` that names the socket.
func listen(_ store: EmbeddedStore, at path: String, on loop: EventLoop) throws -> XenstoreServer {
    do throws(Errno) {
        return try XenstoreServer(store.host, at: path, on: loop)
    } catch {
        throw CommandError("cannot listen at \(path): \(error)")
    }
}
