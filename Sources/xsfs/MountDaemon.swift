import FuseAdapter
import Glibc
import Logging
import Reactor
import SystemPackage
import XenstoreClient
import XenstoreFilesystem
import XenstoreProtocol
import XenstoreServer
import XenstoreStore

/// A mounted store: puts the modules together, and takes them apart again.
final class MountDaemon {
    /// How long the end waits for what programs have asked for and the store has not answered.
    private static let endTimeout = Duration.seconds(2)

    /// What the filesystem and the store's connection are to each other, set when both are there.
    private struct Wires {
        /// Hands the filesystem the events that the store has sent by now.
        var takeEvents: () -> Bool = { false }
        var deferReading: (Duration) -> Void = { _ in }
        /// Hands a line of the log to the filesystem.
        var onLogged: (String) -> Void = { _ in }
    }

    let loop: EventLoop
    private let source: StoreSource
    private let mountpoint: Mountpoint
    private let options: MountOptions
    private let log: Logger
    private let showsValues: Bool
    private let guardProcess: GuardProcess
    private var mount: FuseMount?
    private var server: StoreServer?
    private var isEnding = false
    private var wires = Wires()
    /// Why it could not start.
    private(set) var failure: (any Error)?

    /// To be called before any task or thread exists.
    ///
    /// - Parameters:
    ///   - levels: what is logged.
    ///   - showsValues: whether values are logged, and not their lengths alone.
    init(
        _ source: StoreSource,
        at mountpoint: Mountpoint,
        _ options: MountOptions,
        logging levels: LogLevels = LogLevels(),
        showsValues: Bool = false
    ) throws {
        self.source = source
        self.showsValues = showsValues
        self.mountpoint = mountpoint
        self.options = options
        guardProcess = try DaemonProcess.startGuard(
            of: mountpoint.path,
            startsAgent: options.usesInotify
        )
        SignalSource.ignoreBrokenPipes()
        Log.start(levels)
        log = Log.logger(.mount)
        FuseMessages.send { [log] text in log.error("\(text)") }
        loop = try EventLoop()
        try SignalSource.add([SIGTERM, SIGINT, SIGHUP, SIGUSR2], to: loop) {
            [unowned self] number in
            guard number != SIGUSR2 else { return toggleTrace() }
            end()
        }
    }

    private func toggleTrace() {
        let isTracing = Log.toggleTrace()
        log.notice("\(isTracing ? "tracing everything" : "tracing no longer") (SIGUSR2)")
    }

    /// Reaches the store and mounts it. What goes wrong is in ``failure``, and ends the loop.
    func start() async {
        do {
            switch source {
            case .remote(let address): try await startRemote(address)
            case .embedded(let file, let socket, let compatibility):
                try await startEmbedded(file, socket, compatibility)
            }
        } catch {
            failure = error
            loop.stop()
        }
    }

    // MARK: Stores

    private func startRemote(_ address: StoreAddress) async throws {
        let connection: StoreConnection
        do throws(Errno) {
            connection = try StoreConnection(to: address, on: loop, log: Log.logger(.store))
        } catch {
            throw CommandError(connectingTo: address, error)
        }
        let filesystem = makeFilesystem(
            connection,
            at: try await Subtree.find(options.subtree, in: connection),
            guest: try await guest(connection)
        )
        wires.takeEvents = { connection.takeArrived() }
        wires.deferReading = { duration in connection.deferReading(for: duration) }
        connection.onEvent = { event in filesystem.changed(event.path) }
        connection.onDisconnect = { [log] reason in
            log.warning("lost the \(address): \(reason)")
            filesystem.disconnected()
        }
        connection.onReconnect = { [log, unowned self] in
            log.notice("connected to the \(address) again")
            begin { await filesystem.connected() }
        }
        await filesystem.connected()
        try mount(filesystem)
    }

    private func startEmbedded(
        _ file: String?,
        _ socket: String?,
        _ compatibility: Compatibility
    ) async throws {
        let store = try EmbeddedStore(loading: file, as: compatibility)
        store.report { [log] line in log.notice("\(line)") }
        if let socket { server = try listen(store, at: socket, on: loop) }
        let connection = InProcessConnection(host: store.host)
        let filesystem = makeFilesystem(
            connection,
            at: try await Subtree.find(options.subtree, in: connection),
            guest: nil
        )
        wires.takeEvents = {
            if connection.takeEventsLost() { filesystem.changed(.root) }
            for event in connection.takeEvents() {
                filesystem.changed(event.path)
            }
            return true
        }
        connection.onEventsPending = { [loop, unowned self] in
            loop.later { [unowned self] in _ = wires.takeEvents() }
        }
        await filesystem.connected()
        try mount(filesystem)
    }

    /// A client that the store may refuse something.
    private struct Guest {
        /// Its number, where it has the key that says so.
        var domain: DomainID?
    }

    /// What this client is, unless the store refuses it nothing: a question that domain 0 alone may
    /// ask shows that.
    ///
    /// - Throws: ``CommandError`` where what was connected to does not answer as a store does.
    private func guest(_ connection: StoreConnection) async throws -> Guest? {
        do throws(XenstoreError) {
            _ = try await connection.send(.isDomainIntroduced(.privileged), in: .none)
            return nil
        } catch .refused {
            // Without a number it asks the store more often.
            let number = try? await connection.send(
                .read(XenstorePath(unchecked: "domid")),
                in: .none
            )
            return Guest(domain: number.flatMap { DomainID(decimal: $0) })
        } catch {
            throw CommandError(
                "the \(connection.address) does not answer as a xenstore: \(error)"
            )
        }
    }

    private func makeFilesystem<Access: XenstoreAccess>(
        _ access: Access,
        at subtree: XenstorePath,
        guest: Guest?
    ) -> MountedFilesystem<Access> {
        var options = options.filesystem
        options.subtree = subtree
        options.asksForWriting = guest != nil
        options.ownDomain = guest?.domain
        options.isPrivileged = guest == nil
        var inotifyUsers = InotifyUsers()
        var environment = FilesystemEnvironment(
            now: { .now },
            elapsed: { [start = ContinuousClock.now] in .now - start },
            start: { [unowned self] work in begin(work) },
            later: { [loop] work in loop.later(work) },
            after: { [loop] delay, work in _ = loop.schedule(after: delay, work) },
            invalidate: { [unowned self] in mount?.invalidate($0, $1) },
            afterInvalidations: { [unowned self] action in
                guard let mount else { return action() }
                mount.afterInvalidations(action)
            },
            afterRequests: { [unowned self] action in
                guard let mount else { return action() }
                mount.afterRequests(action)
            },
            report: { [log] text in log.error("\(text)") },
            takeEvents: { [unowned self] in wires.takeEvents() },
            deferReading: { [unowned self] duration in wires.deferReading(duration) },
            inject: guardProcess.agent == nil
                ? nil : { [unowned self] calls in mount?.inject(calls) },
            readable: { [unowned self] handle in mount?.wake(handle) },
            mayWatch: { caller in inotifyUsers.contains(caller) },
            sharesFiles: { caller, opener in ProcessFamily.contains(caller, openerOf: opener) }
        )
        environment.store = source.storeDescription
        environment.logs = FilesystemLogs(
            store: Log.logger(.store),
            inotify: Log.logger(.inotify),
            cache: Log.logger(.cache),
            showsValues: showsValues
        )
        environment.pendingRequests = { [unowned self] in mount?.pendingRequests ?? [] }
        environment.describe = { CallerDescription(of: $0) }
        environment.kernel = { [unowned self] in mount?.kernel }
        environment.leftOut = { [unowned self] name, directory in
            mount?.noteLeftOut(name, in: directory)
        }
        environment.mountMetrics = { [unowned self] in mount?.metrics ?? MountMetrics() }
        environment.isInvalidating = { [unowned self] in mount?.isInvalidating($0) ?? false }
        environment.holdsMount = { [unowned self] path in mount?.holdsMount(path) ?? false }
        environment.logTail = LogTail(
            recent: { Log.history.lines },
            follow: { [unowned self] isOn in followLog(isOn) }
        )
        let filesystem = MountedFilesystem(
            access,
            options: options,
            transactionTimeout: self.options.transactionTimeout,
            environment: environment
        )
        wires.onLogged = { [unowned filesystem] line in filesystem.logged(line) }
        return filesystem
    }

    /// Hands each line of the log to those who read it from the mount, or ends that.
    private func followLog(_ isOn: Bool) {
        guard isOn else { return Log.history.follow(nil) }
        let deliver = LoopBound(wires.onLogged, to: loop)
        Log.history.follow { [loop] line in loop.submit { deliver.value(line) } }
    }

    /// Runs work on the loop that nobody waits for.
    private func begin(_ work: @escaping () async -> Void) {
        let work = LoopBound(work, to: loop)
        Task.immediate(executorPreference: loop) { await work.value() }
    }

    // MARK: The mount

    private func mount(_ filesystem: any MountOperations) throws {
        let source = SystemOptions.escaped(options.sourceName ?? self.source.name)
        let names = ["fsname=" + source, "subtype=xsfs"]
        let mount = try FuseMount(
            filesystem,
            at: mountpoint.path,
            options: (names + options.kernel).joined(separator: ","),
            agent: guardProcess.agent,
            log: Log.logger(.fuse),
            cacheLog: Log.logger(.cache),
            showsValues: showsValues,
            on: loop
        )
        mount.onEnd = { [unowned self] in end() }
        self.mount = mount
    }

    /// Ends the mount, after what is on its way to the store: a daemon may drop the requests of a
    /// client that leaves at once.
    private func end() {
        guard !isEnding else { return }
        isEnding = true
        _ = loop.schedule(after: Self.endTimeout) { [loop] in loop.stop() }
        guard let mount else { return loop.stop() }
        mount.whenIdle { [loop] in loop.stop() }
    }

    /// Takes everything apart, when the loop has ended.
    func close() {
        mount?.unmount()
        server?.close()
        kill(guardProcess.number, SIGTERM)
        waitpid(guardProcess.number, nil, 0)
    }
}

/// Runs a daemon until it is told to end.
///
/// - Parameter ready: called when the mount is usable.
/// - Throws: why it could not start.
func runDaemon(_ daemon: MountDaemon, ready: @escaping () -> Void) throws {
    let work = LoopBound((daemon, ready), to: daemon.loop)
    Task.immediate(executorPreference: daemon.loop) {
        let (daemon, ready) = work.value
        await daemon.start()
        if daemon.failure == nil { ready() }
    }
    daemon.loop.run()
    daemon.close()
    if let failure = daemon.failure { throw failure }
}
