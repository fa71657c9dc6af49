import Glibc
import Synchronization
public import SystemPackage

/// One thread that waits with poll(2) for descriptors, timers and work, and runs Swift tasks.
///
/// Everything but ``submit(_:)``, ``stop()`` and the enqueueing of jobs belongs to the loop's
/// thread. Tasks that prefer this executor begin, suspend and resume on that thread without a lock
/// and without a hop.
// Sendable: what other threads may touch is `foreign`, behind its mutex, and `owner`, atomic; the
// rest is the loop's thread's alone.
public final class EventLoop: TaskExecutor, @unchecked Sendable {
    /// Jobs that run before descriptors and timers are looked at again.
    private static let jobsPerDrain = 65536
    /// Rounds of work for later, each made by the one before, until then.
    private static let laterRounds = 64

    private struct Source {
        let id: SourceID
        let handler: (Readiness) -> Void
    }

    private struct Foreign {
        var jobs: [UnownedJob] = []
        var work: [@Sendable () -> Void] = []
        var isStopping = false
        var isWoken = false
    }

    private var descriptors: [pollfd] = []
    private var sources: [Source?] = []
    private var nextSource: UInt64 = 1
    private var hasRemovedSources = false

    private var timers = TimerQueue<() -> Void>()

    private var jobs: [UnownedJob] = []
    private var isDraining = false
    private var laterWork: [() -> Void] = []

    private let foreign = Mutex(Foreign())
    private let owner: Atomic<UInt>
    private let wakeWriteEnd: FileDescriptor
    private let wakeReadEnd: FileDescriptor

    /// Makes a loop that belongs to the calling thread until another calls ``run()``.
    ///
    /// - Throws: the error of pipe(2).
    public init() throws(Errno) {
        let ends = try FileDescriptor.nonBlockingPipe()
        wakeReadEnd = ends.readEnd
        wakeWriteEnd = ends.writeEnd
        owner = Atomic(UInt(pthread_self()))
        _ = add(wakeReadEnd, for: .readable) { [unowned self] _ in takeForeign() }
    }

    deinit {
        wakeReadEnd.closeIgnoringErrors()
        wakeWriteEnd.closeIgnoringErrors()
    }

    /// Whether the calling thread is the loop's.
    public var isCurrent: Bool { UInt(pthread_self()) == owner.load(ordering: .relaxed) }

    // MARK: Running

    /// Runs the loop on the calling thread, which it then belongs to, until ``stop()``.
    public func run() {
        owner.store(UInt(pthread_self()), ordering: .relaxed)
        while !isStopping {
            turn(wait: true)
        }
    }

    /// Ends ``run()`` after the turn that it is in. From any thread.
    public func stop() {
        foreign.withLock { $0.isStopping = true }
        wake()
    }

    /// Makes the loop nobody's, until a thread calls ``run()``: what comes meanwhile waits there.
    func disown() {
        owner.store(0, ordering: .relaxed)
    }

    private var isStopping: Bool { foreign.withLock { $0.isStopping } }

    /// Runs what is ready; waits for something to be, if `wait` is set.
    public func turn(wait: Bool) {
        runReadyWork()
        let hasWork = !jobs.isEmpty || !laterWork.isEmpty
        let timeout = wait && !hasWork ? timers.millisecondsUntilFirst(now: .now) : 0
        let count = poll(&descriptors, nfds_t(descriptors.count), timeout)
        if count < 0, Errno.current != .interrupted {
            preconditionFailure("poll failed: \(Errno.current)")
        }
        // Before timers: where the process did not run for a while, what has come meanwhile counts.
        if count > 0 { dispatch() }
        fireTimers()
        if hasRemovedSources { forgetRemovedSources() }
    }

    private func fireTimers() {
        guard !timers.isEmpty else { return }
        // One by one: an action may cancel the next. Those that actions set come in a later turn.
        let now = ContinuousClock.now
        while let action = timers.takeFirst(upTo: now) {
            action()
            runReadyWork()
        }
    }

    private func dispatch() {
        // Sources that a handler adds come behind this count, and are polled next time.
        for index in 0..<descriptors.count where descriptors[index].revents != 0 {
            let readiness = Readiness(rawValue: descriptors[index].revents)
            descriptors[index].revents = 0
            sources[index]?.handler(readiness)
            runReadyWork()
        }
    }

    private func runReadyWork() {
        drainJobs()
        var rounds = 0
        while !laterWork.isEmpty, jobs.isEmpty, rounds < Self.laterRounds {
            rounds += 1
            let work = laterWork
            laterWork = []
            for action in work {
                action()
            }
            drainJobs()
        }
    }

    // MARK: Descriptors

    /// Calls `handler` whenever the descriptor is ready for what `interest` names, or has failed.
    public func add(
        _ descriptor: FileDescriptor,
        for interest: Readiness,
        handler: @escaping (Readiness) -> Void
    ) -> SourceID {
        let id = SourceID(rawValue: nextSource)
        nextSource += 1
        descriptors.append(
            pollfd(fd: descriptor.rawValue, events: interest.rawValue, revents: 0)
        )
        sources.append(Source(id: id, handler: handler))
        return id
    }

    /// Changes what a source waits for.
    public func update(_ id: SourceID, interest: Readiness) {
        guard let index = index(of: id) else { return }
        descriptors[index].events = interest.rawValue
    }

    /// Forgets a source. Its handler is not called again; the descriptor stays open.
    public func remove(_ id: SourceID) {
        guard let index = index(of: id) else { return }
        // The arrays may be under iteration: a negative descriptor is ignored by poll.
        sources[index] = nil
        descriptors[index] = pollfd(fd: -1, events: 0, revents: 0)
        hasRemovedSources = true
    }

    private func index(of id: SourceID) -> Int? {
        sources.firstIndex { $0?.id == id }
    }

    private func forgetRemovedSources() {
        hasRemovedSources = false
        var kept = 0
        for index in sources.indices where sources[index] != nil {
            sources[kept] = sources[index]
            descriptors[kept] = descriptors[index]
            kept += 1
        }
        sources.removeSubrange(kept...)
        descriptors.removeSubrange(kept...)
    }

    // MARK: Timers

    /// Calls `action` once, when `delay` has passed; to the millisecond.
    public func schedule(after delay: Duration, _ action: @escaping () -> Void) -> TimerID {
        timers.insert(at: .now + delay, action)
    }

    /// Forgets a timer. Nothing happens if it has fired.
    public func cancel(_ id: TimerID) {
        timers.remove(id)
    }

    // MARK: Work

    /// Calls `action` on this thread before the loop next waits, after the jobs that are ready.
    public func later(_ action: @escaping () -> Void) {
        laterWork.append(action)
    }

    /// Calls `action` on the loop's thread. From any thread.
    public func submit(_ action: @escaping @Sendable () -> Void) {
        foreign.withLock { $0.work.append(action) }
        wake()
    }

    /// Takes a job of Swift's concurrency. From any thread.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            jobs.append(job)
        } else {
            foreign.withLock { $0.jobs.append(job) }
            wake()
        }
    }

    /// Runs the jobs that are ready, and those that they make ready.
    ///
    /// Does nothing when called from a job. Stops after many, so that tasks which yield to each
    /// other for ever do not keep descriptors and timers waiting.
    public func drainJobs() {
        guard !isDraining, !jobs.isEmpty else { return }
        isDraining = true
        let executor = asUnownedTaskExecutor()
        var next = 0
        while next < jobs.count, next < Self.jobsPerDrain {
            let job = jobs[next]
            next += 1
            job.runSynchronously(on: executor)
        }
        if next == jobs.count {
            jobs.removeAll(keepingCapacity: true)
        } else {
            jobs.removeFirst(next)
        }
        isDraining = false
    }

    private func wake() {
        let wasWoken = foreign.withLock { state in
            defer { state.isWoken = true }
            return state.isWoken
        }
        // A full pipe wakes as well as one byte does, so the outcome does not matter.
        if !wasWoken { wakeWriteEnd.writeByteIgnoringErrors() }
    }

    private func takeForeign() {
        wakeReadEnd.drainIgnoringErrors()
        let (newJobs, work) = foreign.withLock { state in
            defer {
                state.jobs = []
                state.work = []
                state.isWoken = false
            }
            return (state.jobs, state.work)
        }
        jobs.append(contentsOf: newJobs)
        for action in work {
            action()
        }
    }
}
