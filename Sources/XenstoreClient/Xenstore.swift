public import Logging
public import Reactor
public import SystemPackage
import XenstoreProtocol

/// A client of a xenstore that any number of tasks use at once, from anywhere: one connection,
/// shared.
///
/// ```swift
/// let client = try await Xenstore()
/// let name = try await client.readText("name")
/// try await client.write("ready", to: "data/state")
/// ```
///
/// Operations are those of ``XenstoreOperations``. A connection that is lost comes back by itself,
/// with its watches.
public final class Xenstore: XenstoreOperations {
    /// Where the store is; nil for one in the same process.
    public let address: StoreAddress?
    private let loop: EventLoop
    private let core: LoopBound<ClientCore>
    private let ownsThread: Bool

    /// Connects to the store at an address, or to that of this host or guest, found as libxenstore
    /// finds it. The connection has a thread of its own.
    ///
    /// - Parameter log: takes each message of the protocol at the level trace, with the lengths of
    ///   values and not what they are.
    /// - Throws: the error of open(2), socket(2) or connect(2), or of starting a thread; `ENOENT`
    ///   where there is no store.
    public convenience init(
        to address: StoreAddress? = nil,
        configuration: ConnectionConfiguration = ConnectionConfiguration(),
        log: Logger = Logger(label: "xenstore") { _ in SwiftLogNoOpLogHandler() }
    ) async throws(Errno) {
        guard let address = address ?? StoreAddress.find() else {
            throw .noSuchFileOrDirectory
        }
        try await self.init(at: address, configuration) { loop throws(Errno) in
            try StoreConnection(to: address, on: loop, configuration: configuration, log: log)
        }
    }

    /// Takes a channel that is opened on a thread of its own.
    ///
    /// - Throws: the error of starting a thread, or of `open`.
    package convenience init(
        at address: StoreAddress?,
        _ configuration: ConnectionConfiguration,
        opening open: @Sendable (EventLoop) throws(Errno) -> any Channel
    ) async throws(Errno) {
        let loop = try EventLoop.startThread()
        do throws(Errno) {
            let core = try await withTaskExecutorPreference(loop) { () async throws(Errno) in
                let core = ClientCore(try open(loop), loop: loop, configuration: configuration)
                return LoopBound(core, to: loop)
            }
            self.init(address, core, loop, ownsThread: true)
        } catch {
            loop.stop()
            throw error
        }
    }

    /// Connects on a loop that runs already, or will. To be called on its thread. Tasks that
    /// prefer this loop have their answers without a hop to another thread.
    ///
    /// - Parameter log: takes each message of the protocol at the level trace.
    /// - Throws: the error of open(2), socket(2) or connect(2).
    public convenience init(
        to address: StoreAddress,
        on loop: EventLoop,
        configuration: ConnectionConfiguration = ConnectionConfiguration(),
        log: Logger = Logger(label: "xenstore") { _ in SwiftLogNoOpLogHandler() }
    ) throws(Errno) {
        let channel = try StoreConnection(
            to: address,
            on: loop,
            configuration: configuration,
            log: log
        )
        self.init(over: channel, at: address, on: loop, configuration)
    }

    /// Takes a connection over, on its loop's thread.
    package convenience init(over connection: StoreConnection) {
        self.init(
            over: connection,
            at: connection.address,
            on: connection.loop,
            connection.configuration
        )
    }

    /// Takes a channel over, on its loop's thread.
    package convenience init(
        over channel: any Channel,
        at address: StoreAddress?,
        on loop: EventLoop,
        _ configuration: ConnectionConfiguration
    ) {
        let core = ClientCore(channel, loop: loop, configuration: configuration)
        self.init(address, LoopBound(core, to: loop), loop, ownsThread: false)
    }

    private init(
        _ address: StoreAddress?,
        _ core: LoopBound<ClientCore>,
        _ loop: EventLoop,
        ownsThread: Bool
    ) {
        self.address = address
        self.core = core
        self.loop = loop
        self.ownsThread = ownsThread
    }

    deinit {
        let (loop, ownsThread) = (loop, ownsThread)
        core.later { core in
            core.close()
            if ownsThread { loop.stop() }
        }
    }

    /// Operations one by one, each by itself.
    public var immediate: XenstoreHandle { XenstoreHandle(client: self) }

    public var handle: XenstoreHandle { immediate }

    /// Where the client's work is done. A task that prefers it
    /// (`withTaskExecutorPreference(client.executor)`) has its answers without a hop between
    /// threads; it must never block.
    public var executor: any TaskExecutor { loop }

    // MARK: The loop

    /// Runs work on the loop's thread: in place, if this is it.
    func onLoop<Value: Sendable, Failure: Error>(
        _ body: @Sendable (ClientCore) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        if loop.isCurrent { return try await body(core.value) }
        return try await hop(body)
    }

    /// Never in the caller's isolation: an actor's work is not moved by a preference.
    @concurrent
    private func hop<Value: Sendable, Failure: Error>(
        _ body: @Sendable (ClientCore) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await withTaskExecutorPreference(loop) { () async throws(Failure) in
            try await body(core.value)
        }
    }

    /// Has work done on the loop's thread that nobody waits for.
    func later(_ body: @escaping @Sendable (ClientCore) -> Void) {
        core.later(body)
    }
}
