import Glibc
import Reactor
import SystemPackage
import XenstoreProtocol
import XenstoreServer
import XenstoreStore

/// A store that is served without a mount.
struct ServeDaemon {
    private let store: EmbeddedStore
    private let path: String
    private let domains: [DomainSocket]

    init(_ store: EmbeddedStore, at path: String, domains: [DomainSocket]) {
        self.store = store
        self.path = path
        self.domains = domains
    }

    /// Serves until SIGTERM or SIGINT.
    ///
    /// - Throws: ``CommandError``: a socket cannot be had, or the state cannot be kept any more.
    func run() throws {
        SignalSource.ignoreBrokenPipes()
        let loop = try EventLoop()
        if let state = store.state {
            store.host.save = {
                let isSaved = state.save()
                if !isSaved { loop.stop() }
                return isSaved
            }
        }
        store.report { line in Message.tellWithoutWaiting(line) }
        for socket in domains {
            store.host.store.introduce(socket.domain)
        }
        let shares = FairShare(on: loop, guestConnections: DescriptorLimit.raise())
        // The main socket comes last: who finds it finds all of them.
        var servers = try domains.map { socket in
            try listen(store, at: socket.path, as: socket.domain, sharing: shares, on: loop)
        }
        servers.append(try listen(store, at: path, sharing: shares, on: loop))
        try SignalSource.add([SIGTERM, SIGINT], to: loop) { _ in loop.stop() }
        loop.run()
        // What was not told of yet may be kept as well.
        _ = store.host.persist()
        for server in servers {
            server.close()
        }
        if let failure = store.state?.failure { throw failure }
    }
}

/// Serves an embedded store on a socket.
///
/// - Throws: ``CommandError`` that names the socket.
func listen(
    _ store: EmbeddedStore,
    at path: String,
    as domain: DomainID = .privileged,
    sharing shares: FairShare? = nil,
    on loop: EventLoop
) throws -> StoreServer {
    do throws(Errno) {
        return try StoreServer(store.host, at: path, as: domain, sharing: shares, on: loop)
    } catch {
        throw CommandError("cannot listen at \(path): \(error)")
    }
}
