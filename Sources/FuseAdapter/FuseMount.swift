import CFuse
public import ChangeNotification
import Glibc
public import Logging
public import Reactor
public import SystemPackage
public import XenstoreFilesystem

/// A filesystem that is mounted: takes the kernel's requests on an event loop and has them
/// answered.
public final class FuseMount {
    /// Requests that are taken before others get their turn.
    private static let requestsPerTurn = 8

    /// How long a request goes on after a signal came to the program that waits for it. The store
    /// answers sooner, and a program is spared an error that no disk would give.
    private static let interruptDelay = Duration.milliseconds(100)

    /// How long a request may wait before the log says so, and before the status lists it.
    /// In nanoseconds.
    private static let slowRequest: Int64 = 5_000_000_000
    private static let waitingRequest: Int64 = 1_000_000_000

    /// A request that waits for its answer.
    private struct Unanswered {
        let call: KernelCall
        /// Nil until it is sure that it waits.
        var task: Task<Void, Never>?
        /// Whether the log has said that it is slow.
        var isReported = false
    }

    /// What is to be called when the requests are at a certain point.
    private struct Awaited {
        /// When all that the kernel has sent by now are taken.
        var taken: [() -> Void] = []
        /// When none waits for its answer.
        var idle: (() -> Void)?
    }

    /// Called on the loop when the mount has ended from outside.
    public var onEnd: () -> Void = {}

    let filesystem: any MountOperations
    let loop: EventLoop
    private let session: FuseSession
    private let invalidations: Invalidations
    private let agent: InotifyAgent?
    var polls = PollTable()
    private var awaited = Awaited()
    private var unanswered: [UInt64: Unanswered] = [:]
    private var nextRequest: UInt64 = 1
    private var tracer: RequestTracer
    private var isSlowTimerSet = false

    /// Mounts, and serves from the loop's next turn on.
    ///
    /// - Parameters:
    ///   - options: options of libfuse and the kernel, as mount(8) writes them.
    ///   - agent: the way to the inotify agent, as ``DaemonProcess/startGuard(of:startsAgent:)``
    ///     has given it.
    ///   - log: takes each request and its answer at the level trace, and what goes wrong.
    ///   - cacheLog: takes each invalidation at the level debug.
    ///   - showsValues: whether the log shows what is read and written.
    /// - Throws: ``MountError``; ``FuseMessages`` has the reason.
    public init(
        _ filesystem: any MountOperations,
        at mountpoint: String,
        options: String,
        agent: FileDescriptor?,
        log: Logger,
        cacheLog: Logger,
        showsValues: Bool,
        on loop: EventLoop
    ) throws(MountError) {
        self.filesystem = filesystem
        tracer = RequestTracer(log, showsValues: showsValues)
        self.loop = loop
        session = try FuseSession(at: mountpoint, options: options, on: loop)
        invalidations = Invalidations(session.pointer, log: cacheLog, on: loop)
        let device = session.device
        self.agent = agent.map { InotifyAgent($0, device: device, on: loop) }
        session.start(for: self) { [unowned self] in serve() }
        self.agent?.onStart = { [unowned self] in self.filesystem.inotifyReplay.agentHasStarted() }
        self.agent?.onDone = { [unowned self] in self.filesystem.inotifyReplay.agentIsDone() }
        self.agent?.onEnd = { [unowned self] in self.filesystem.inotifyReplay.agentHasEnded() }
    }

    deinit {
        unmount()
    }

    /// Unmounts. Programs that still use the mount get errors.
    public func unmount() {
        guard session.isMounted else { return }
        polls.removeAll()
        session.unmount()
        agent?.close()
        invalidations.close()
        session.free()
    }

    /// Calls `action` once, as soon as no request waits for its answer, neither here nor in the
    /// kernel. On the loop.
    public func whenIdle(_ action: @escaping () -> Void) {
        filesystem.endStreams()
        awaited.idle = action
        checkIdle()
    }

    private func checkIdle() {
        guard awaited.idle != nil else { return }
        while session.isServing, serveOne() {}
        guard unanswered.isEmpty, let action = awaited.idle else { return }
        awaited.idle = nil
        action()
    }

    /// Makes the kernel drop something, when it can be done without harm. On the loop.
    public func invalidate(_ invalidation: Invalidation, _ reason: InvalidationReason) {
        invalidations.invalidate(invalidation, reason, in: filesystem)
    }

    /// Whether the kernel has not taken an invalidation yet that was given to ``invalidate(_:_:)``.
    /// On the loop.
    public func isInvalidating(_ invalidation: Invalidation) -> Bool {
        invalidations.isInvalidating(invalidation)
    }

    /// Calls back on the loop when the kernel has taken all invalidations of inodes so far. On the
    /// loop.
    public func afterInvalidations(_ action: @escaping () -> Void) {
        invalidations.afterInodes(action)
    }

    /// Calls back, later, when all requests that the kernel has sent so far were taken: where more
    /// come all the time, when for once there is none. On the loop.
    public func afterRequests(_ action: @escaping () -> Void) {
        awaited.taken.append(action)
        if awaited.taken.count == 1 { loop.later { self.takeRequests() } }
    }

    private func takeRequests() {
        for _ in 0..<Self.requestsPerTurn {
            guard session.isServing, serveOne() else {
                let actions = awaited.taken
                awaited.taken = []
                for action in actions { action() }
                return
            }
        }
        loop.later { self.takeRequests() }
    }

    /// Wakes those who wait for a handle to become readable. On the loop.
    public func wake(_ handle: HandleID) {
        polls.wake(handle)
    }

    /// Has the inotify agent make calls, for changes by others. On the loop.
    public func inject(_ calls: [InotifyCall]) {
        agent?.send(calls)
    }

    /// Whether something is mounted at a path of the mount, or below it. On the loop.
    public func holdsMount(_ path: String) -> Bool {
        agent?.innerMounts.contains(path) ?? false
    }

    /// What the kernel offers; nil before it has begun. On the loop.
    public var kernel: KernelSupport? { session.kernel }

    /// The kernel has begun, and has this version of the protocol.
    func began(_ minor: UInt32) {
        session.began(minor)
        // It names its limits when it has the answer.
        loop.later { [self] in
            guard session.isMounted, let complaint = session.kernel?.complaint else { return }
            tracer.log.notice("\(complaint)")
        }
    }

    /// A listing leaves a name out that the kernel does not take. The log says so once.
    public func noteLeftOut(_ name: String, in directory: String) {
        guard session.noteLeftOut() else { return }
        tracer.log.warning(
            """
            \(directory) has a name of \(name.utf8.count) bytes, which this kernel does not take: \
            listings leave such names out
            """
        )
    }

    /// The mount that a pointer of libfuse's stands for.
    static func of(context: UnsafeMutableRawPointer) -> FuseMount {
        let content = context.assumingMemoryBound(to: UnsafeRawPointer?.self).pointee
        guard let content else { preconditionFailure("a request before the mount is ready") }
        return Unmanaged<FuseMount>.fromOpaque(content).takeUnretainedValue()
    }

    /// The directory of a name, which the kernel locks as well where it removes or moves it.
    func known(_ name: String, in directory: InodeNumber) -> [InodeNumber] {
        filesystem.filesystem(of: directory)?.knownDirectory(name, in: directory).map { [$0] }
            ?? []
    }

    // MARK: Requests

    /// Takes requests, until one waits for the store: then there is something better to do than to
    /// ask for more.
    private func serve() {
        for _ in 0..<Self.requestsPerTurn {
            let waiting = unanswered.count
            guard serveOne(), unanswered.count <= waiting else { return }
        }
    }

    /// Takes a request.
    ///
    /// - Returns: whether there was one.
    private func serveOne() -> Bool {
        let outcome = xsfs_session_serve_one(session.pointer)
        if outcome == -EAGAIN { return false }
        guard outcome > 0 else {
            session.hasEnded()
            onEnd()
            return false
        }
        return true
    }

    /// Has a request answered: at once if `body` does not await the store, or when it is done.
    ///
    /// - Parameters:
    ///   - call: what it asks for.
    ///   - directories: those that the kernel keeps locked until the answer.
    ///   - file: one of which the kernel keeps the content locked until the answer.
    ///   - changes: whether it may change something that the kernel keeps.
    func answer(
        _ raw: OpaquePointer,
        _ call: KernelCall,
        locking directories: [InodeNumber] = [],
        reading file: InodeNumber? = nil,
        changes: Bool = false,
        _ body: @escaping (any FilesystemOperations) async throws(FilesystemError) -> Answer
    ) {
        let id = nextRequest
        nextRequest += 1
        unanswered[id] = Unanswered(call: call)
        invalidations.began(locking: directories, reading: file)
        let isTraced = tracer.isTracing && !isOfLog(call)
        if isTraced { beginTrace(call, id) }
        let work = LoopBound((self, raw, body), to: loop)
        let task = Task.immediate(executorPreference: loop) {
            let (mount, raw, body) = work.value
            let request = KernelRequest(raw, id, of: mount)
            let outcome: Result<Answer, FilesystemError>
            if isTraced {
                outcome = await TracedRequest.$number.withValue(id) {
                    await mount.outcome(call, body)
                }
            } else {
                outcome = await mount.outcome(call, body)
            }
            if changes, !mount.isAgent(call) { await mount.storeFilesystem.invalidationBarrier() }
            mount.unanswered[id] = nil
            let time = mount.tracer.count(call)
            if isTraced { mount.endTrace(call, id, outcome, after: time) }
            request.reply(outcome)
            mount.invalidations.ended(locking: directories, reading: file)
            if mount.awaited.idle != nil { mount.loop.later { mount.checkIdle() } }
        }
        guard unanswered[id] != nil else { return }
        // It waits for the store. Only now is it sure that the request still exists.
        unanswered[id]?.task = task
        xsfs_request_tell_interrupt(raw, id)
        watchForSlowRequests()
    }

    /// Asks the filesystem that a request is for.
    private func outcome(
        _ call: KernelCall,
        _ body: (any FilesystemOperations) async throws(FilesystemError) -> Answer
    ) async -> Result<Answer, FilesystemError> {
        let asked: any FilesystemOperations
        do throws(FilesystemError) {
            asked = try owner(of: call)
        } catch {
            return .failure(error)
        }
        do throws(FilesystemError) {
            return .success(try await body(asked))
        } catch {
            return .failure(filesystem.error(error, of: asked))
        }
    }

    private var storeFilesystem: any FilesystemOperations { filesystem.storeFilesystem }

    /// The filesystem that answers a request: the agent sees another one.
    private func owner(of call: KernelCall) throws(FilesystemError) -> any FilesystemOperations {
        let isAgent = isAgent(call)
        if isAgent { filesystem.inotifyReplay.agentHasCalled() }
        return try filesystem.filesystem(
            for: call.operation,
            on: call.subject,
            byAgent: isAgent
        )
    }

    private func isAgent(_ call: KernelCall) -> Bool {
        agent?.isCaller(call.caller.rawValue) ?? false
    }

    /// Answers a request if memory knows: no task is made.
    ///
    /// - Returns: whether it did.
    func answerFromMemory(
        _ raw: OpaquePointer,
        _ call: KernelCall,
        _ body: (any FilesystemOperations) throws(FilesystemError) -> Answer?
    ) -> Bool {
        // Before the answer, which may be the end of what it is about.
        let isTraced = tracer.isTracing && !isOfLog(call)
        let text = isTraced ? tracer.text(of: call, in: filesystem) : ""
        let outcome: Result<Answer, FilesystemError>
        do throws(FilesystemError) {
            let asked = try owner(of: call)
            guard let answer = try body(asked) else { return false }
            outcome = .success(answer)
        } catch {
            outcome = .failure(error)
        }
        let time = tracer.count(call)
        if isTraced {
            tracer.began(text, nextRequest)
            tracer.ended(call, nextRequest, outcome, after: time, StoreCost())
            nextRequest += 1
        }
        KernelRequest(raw, 0, of: self).reply(outcome)
        return true
    }

    // MARK: Tracing

    /// Logs a request that is answered at once, or awaits no answer.
    func note(_ call: @autoclosure () -> KernelCall) {
        guard tracer.isTracing else { return }
        let call = call()
        if !isOfLog(call) { tracer.noted(call, in: filesystem) }
    }

    /// To trace what is read from the log would have no end.
    private func isOfLog(_ call: KernelCall) -> Bool {
        guard case .handle(let handle) = call.subject else { return false }
        return filesystem.isLog(handle)
    }

    private func beginTrace(_ call: KernelCall, _ id: UInt64) {
        filesystem.beginCost(ofTraced: id)
        tracer.began(tracer.text(of: call, in: filesystem), id)
    }

    private func endTrace(
        _ call: KernelCall,
        _ id: UInt64,
        _ outcome: Result<Answer, FilesystemError>,
        after time: Int64
    ) {
        tracer.ended(call, id, outcome, after: time, filesystem.takeCost(ofTraced: id))
    }

    /// A request was dropped.
    func forgot(_ id: UInt64) {
        guard let call = unanswered.removeValue(forKey: id)?.call else { return }
        _ = filesystem.takeCost(ofTraced: id)
        tracer.forgot(call, id, in: filesystem)
    }

    /// Logs requests that wait for too long, each once.
    ///
    /// - Parameter delay: nanoseconds until the first of them has.
    private func watchForSlowRequests(after delay: Int64 = slowRequest) {
        guard !isSlowTimerSet else { return }
        isSlowTimerSet = true
        _ = loop.schedule(after: .nanoseconds(delay)) { [weak self] in
            guard let self else { return }
            isSlowTimerSet = false
            let now = Moment.now
            var longest: Int64?
            let urgent = unanswered.filter { $0.value.call.isUrgent && !$0.value.isReported }
            for (id, waiting) in urgent.sorted(by: { $0.key < $1.key }) {
                let age = now - waiting.call.start
                if age >= Self.slowRequest {
                    unanswered[id]?.isReported = true
                    tracer.isSlow(waiting.call, id, after: age, in: filesystem)
                } else {
                    longest = max(longest ?? age, age)
                }
            }
            if let longest { watchForSlowRequests(after: Self.slowRequest - longest) }
        }
    }

    /// The requests that have waited for a second, the oldest first. On the loop.
    public var pendingRequests: [PendingRequest] {
        unanswered.values.compactMap { waiting in
            let (call, age) = (waiting.call, Moment.now - waiting.call.start)
            guard call.isUrgent, age >= Self.waitingRequest else { return nil }
            return PendingRequest(
                operation: call.operation,
                path: filesystem.path(of: call.subject),
                caller: call.caller,
                command: RequestTracer.command(of: call.caller),
                age: .nanoseconds(age)
            )
        }.sorted { $0.age > $1.age }
    }

    /// What was counted since the mount began. On the loop.
    public var metrics: MountMetrics {
        var metrics = MountMetrics()
        metrics.requests = tracer.metrics
        metrics.invalidationsSent = invalidations.sent
        metrics.invalidationsHeld = invalidations.held
        return metrics
    }

    /// A signal came to the program that waits for a request.
    func interrupted(_ id: UInt64) {
        _ = loop.schedule(after: Self.interruptDelay) { [unowned self] in
            unanswered[id]?.task?.cancel()
        }
    }
}
