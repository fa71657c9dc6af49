public import Reactor
public import SystemPackage
public import XenstoreProtocol
public import XenstoreStore

/// Serves a store on a unix socket.
///
/// It belongs to its loop's thread. A client that floods, stalls or sends nonsense hurts its own
/// connection alone.
public final class StoreServer {
    /// The pause after the process ran out of descriptors: the connections that wait stay in line.
    private static let acceptPause = Duration.milliseconds(100)

    private let environment: SessionEnvironment
    private let domain: DomainID
    private let path: String
    private let listener: FileDescriptor
    private var source: SourceID?
    private var isPauseReported = false
    private var sessions: [ObjectIdentifier: Session] = [:]

    /// Listens at `path`, for the process's user alone. A dead socket there is replaced; a live
    /// one is not.
    ///
    /// - Parameters:
    ///   - domain: the domain whose rights the clients have.
    ///   - shares: what all servers of a store have in common. A server alone has its own.
    /// - Throws: `EADDRINUSE` for a live socket or another file; the error of socket(2), bind(2)
    ///   or listen(2).
    public init(
        _ host: StoreHost,
        at path: String,
        as domain: DomainID = .privileged,
        limits: SessionLimits = SessionLimits(),
        sharing shares: FairShare? = nil,
        on loop: EventLoop
    ) throws(Errno) {
        environment = SessionEnvironment(
            host,
            limits,
            sharing: shares ?? FairShare(on: loop),
            on: loop
        )
        self.domain = domain
        self.path = path
        listener = try UnixSocket.listen(at: path)
        listen()
    }

    deinit {
        close()
    }

    private var loop: EventLoop { environment.loop }

    /// Connections that are open.
    public var sessionCount: Int { sessions.count }

    /// Ends all connections and takes the socket away.
    public func close() {
        guard let source else { return }
        loop.remove(source)
        self.source = nil
        listener.closeIgnoringErrors()
        UnixSocket.remove(path)
        for session in sessions.values {
            session.close()
        }
    }

    private func listen() {
        source = loop.add(listener, for: .readable) { [unowned self] _ in accept() }
    }

    private func accept() {
        let (host, limits) = (environment.host, environment.limits)
        do throws(Errno) {
            for _ in 0..<limits.acceptedPerTurn {
                guard let descriptor = try UnixSocket.accept(on: listener) else { return }
                guard let share = environment.shares.join(as: domain, limits, host.store) else {
                    // A client that is let in and not heard would wait for ever.
                    descriptor.closeIgnoringErrors()
                    continue
                }
                let session = Session(
                    descriptor,
                    in: environment,
                    as: domain,
                    sharing: share
                )
                let id = ObjectIdentifier(session)
                // Weak: the server closes its sessions when it ends, too.
                session.onClose = { [weak self] in self?.sessions[id] = nil }
                sessions[id] = session
            }
        } catch {
            pauseAccepting()
        }
    }

    private func pauseAccepting() {
        guard let source else { return }
        if !isPauseReported {
            isPauseReported = true
            let text = "out of descriptors: clients of \(path) wait for others to end"
            environment.host.store.report?(text)
        }
        loop.update(source, interest: [])
        _ = loop.schedule(after: Self.acceptPause) { [weak self] in
            guard let self, let source = self.source else { return }
            loop.update(source, interest: .readable)
        }
    }
}
