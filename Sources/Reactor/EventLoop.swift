import Glibc
import Synchronization
public import SystemPackage

/// One thread that waits with poll(2), or epoll(7), for descriptors, timers and work, and runs
/// Swift tasks.
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
    /// Work of one round for which memory is kept; a burst gives it back.
    private static let keptWork = 1024

    private struct Source {
        let id: SourceID
        let descriptor: FileDescriptor
        let handler: (Readiness) -> Void
    }

    private struct Foreign {
        var jobs: [UnownedJob] = []
        var work: [@Sendable () -> Void] = []
        var isWoken = false
    }

    /// What is the loop's thread's alone.
    private struct State: ~Copyable {
        var poller = Poller()
        var busyPoll = BusyPoll.fromEnvironment()
        /// By the slots that the lower half of their numbers names. The upper half tells apart who
        /// had a slot before.
        var sources: [Source?] = []
        var freeSlots: [Int] = []
        var generation: UInt64 = 0
        var timers = TimerQueue<() -> Void>()
        var turns: UInt64 = 0
        var jobs: [UnownedJob] = []
        var isDraining = false
        var laterWork: [() -> Void] = []
        /// What ``laterWork`` was in the round before: its memory is used again.
        var spareWork: [() -> Void] = []
    }

    /// Behind a pointer: for properties of a class each access is checked for others that it might
    /// overlap. In a turn of the loop that is 15 times, a tenth of what a client's request costs.
    private let state: UnsafeMutablePointer<State>

    private let foreign = Mutex(Foreign())
    private let isStopping = Atomic(false)
    private let owner: Atomic<UInt>
    private let wakeWriteEnd: FileDescriptor
    private let wakeReadEnd: FileDescriptor

    /// Makes a loop that belongs to the calling thread until another calls ``run()``.
    ///
    /// - Throws: the error of pipe(2).
    public init() throws(Errno) {
        let ends = try FileDescriptor.nonBlockingPipe()
        state = .allocate(capacity: 1)
        state.initialize(to: State())
        wakeReadEnd = ends.readEnd
        wakeWriteEnd = ends.writeEnd
        owner = Atomic(UInt(pthread_self()))
        _ = add(wakeReadEnd, for: .readable) { [unowned self] _ in takeForeign() }
    }

    deinit {
        wakeReadEnd.closeIgnoringErrors()
        wakeWriteEnd.closeIgnoringErrors()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Whether the calling thread is the loop's.
    public var isCurrent: Bool { UInt(pthread_self()) == owner.load(ordering: .relaxed) }

    /// How many turns have begun: what sees the same number twice is in one turn.
    public var turnCount: UInt64 { state.pointee.turns }

    // MARK: Running

    /// Runs the loop on the calling thread, which it then belongs to, until ``stop()``.
    public func run() {
        owner.store(UInt(pthread_self()), ordering: .relaxed)
        while !isStopping.load(ordering: .acquiring) {
            turn(wait: true)
        }
        // Nobody runs it any more, and what it holds may hold the loop.
        state.pointee.laterWork = []
    }

    /// Ends ``run()`` after the turn that it is in. From any thread.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        wake()
    }

    /// Makes the loop nobody's, until a thread calls ``run()``: what comes meanwhile waits there.
    func disown() {
        owner.store(0, ordering: .relaxed)
    }

    /// Runs what is ready; waits for something to be, if `wait` is set.
    public func turn(wait: Bool) {
        state.pointee.turns &+= 1
        runReadyWork()
        let hasWork = !state.pointee.jobs.isEmpty || !state.pointee.laterWork.isEmpty
        let timeout = wait && !hasWork ? state.pointee.timers.millisecondsUntilFirst(now: .now) : 0
        let count = timeout == 0 ? state.pointee.poller.wait(milliseconds: 0) : sleep(timeout)
        // Before timers: where the process did not run for a while, what has come meanwhile counts.
        dispatch(count)
        // A timer whose time comes while something else does is seen when the next turn asks how
        // long to wait: the clock is read once in a turn.
        if count == 0 || timeout == 0 { fireTimers() }
    }

    /// Waits for descriptors, and first polls for a while if ``BusyPoll`` is on.
    private func sleep(_ milliseconds: Int32) -> Int {
        guard state.pointee.busyPoll.limit > 0 else {
            return state.pointee.poller.wait(milliseconds: milliseconds)
        }
        var start = BusyPoll.now
        if state.pointee.busyPoll.isOn {
            let deadline = start + state.pointee.busyPoll.limit
            var now = start
            while now <= deadline {
                let count = state.pointee.poller.wait(milliseconds: 0)
                if count > 0 {
                    state.pointee.busyPoll.ended(after: now - start, hasFound: true)
                    return count
                }
                // Whoever wants this CPU comes first: it may be the one that is waited for.
                sched_yield()
                now = BusyPoll.now
            }
            state.pointee.busyPoll.ended(after: now - start, hasFound: false)
            start = now
        }
        let count = state.pointee.poller.wait(milliseconds: milliseconds)
        state.pointee.busyPoll.slept(for: BusyPoll.now - start, hasCPUs: BusyPoll.hasCPUs)
        return count
    }

    private func fireTimers() {
        guard !state.pointee.timers.isEmpty else { return }
        // One by one: an action may cancel the next. Those that actions set come in a later turn.
        let now = ContinuousClock.now
        while let action = state.pointee.timers.takeFirst(upTo: now) {
            action()
            runReadyWork()
        }
    }

    private func dispatch(_ count: Int) {
        for index in 0..<count {
            let (id, readiness) = state.pointee.poller.event(index)
            // A handler before may have removed it.
            guard let source = source(id) else { continue }
            source.handler(readiness)
            runReadyWork()
        }
    }

    private func runReadyWork() {
        drainJobs()
        var rounds = 0
        while !state.pointee.laterWork.isEmpty, state.pointee.jobs.isEmpty,
            rounds < Self.laterRounds
        {
            rounds += 1
            // An action may append, and may turn this very loop: nothing is kept in its hands.
            var work = state.pointee.spareWork
            state.pointee.spareWork = []
            swap(&work, &state.pointee.laterWork)
            for action in work {
                action()
            }
            work.removeAll(keepingCapacity: work.capacity <= Self.keptWork)
            state.pointee.spareWork = work
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
        state.pointee.generation = (state.pointee.generation + 1) & UInt64(UInt32.max)
        let slot = state.pointee.freeSlots.popLast() ?? state.pointee.sources.count
        if slot == state.pointee.sources.count { state.pointee.sources.append(nil) }
        let id = SourceID(rawValue: state.pointee.generation << 32 | UInt64(slot))
        state.pointee.sources[slot] = Source(id: id, descriptor: descriptor, handler: handler)
        for refused in state.pointee.poller.add(descriptor, for: interest, as: id) {
            // Whoever uses it finds out what is wrong with it.
            later { [unowned self] in source(refused)?.handler(.failed) }
        }
        return id
    }

    /// Changes what a source waits for.
    public func update(_ id: SourceID, interest: Readiness) {
        guard let source = source(id) else { return }
        state.pointee.poller.update(source.descriptor, interest: interest, of: id)
    }

    /// Forgets a source, while its descriptor is open still. Its handler is not called again.
    public func remove(_ id: SourceID) {
        guard let source = source(id) else { return }
        state.pointee.sources[Self.slot(id)] = nil
        state.pointee.freeSlots.append(Self.slot(id))
        state.pointee.poller.remove(source.descriptor, id)
    }

    private static func slot(_ id: SourceID) -> Int { Int(id.rawValue & UInt64(UInt32.max)) }

    private func source(_ id: SourceID) -> Source? {
        let slot = Self.slot(id)
        guard slot < state.pointee.sources.count, let source = state.pointee.sources[slot],
            source.id == id
        else { return nil }
        return source
    }

    // MARK: Timers

    /// Calls `action` once, when `delay` has passed; to the millisecond.
    public func schedule(after delay: Duration, _ action: @escaping () -> Void) -> TimerID {
        state.pointee.timers.insert(at: .now + delay, action)
    }

    /// Forgets a timer. Nothing happens if it has fired.
    public func cancel(_ id: TimerID) {
        state.pointee.timers.remove(id)
    }

    // MARK: Work

    /// Calls `action` on this thread before the loop next waits, after the jobs that are ready.
    public func later(_ action: @escaping () -> Void) {
        state.pointee.laterWork.append(action)
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
            state.pointee.jobs.append(job)
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
        guard !state.pointee.isDraining, !state.pointee.jobs.isEmpty else { return }
        state.pointee.isDraining = true
        let executor = asUnownedTaskExecutor()
        var next = 0
        while next < state.pointee.jobs.count, next < Self.jobsPerDrain {
            let job = state.pointee.jobs[next]
            next += 1
            job.runSynchronously(on: executor)
        }
        if next == state.pointee.jobs.count {
            state.pointee.jobs.removeAll(keepingCapacity: true)
        } else {
            state.pointee.jobs.removeFirst(next)
        }
        state.pointee.isDraining = false
    }

    private func wake() {
        let wasWoken = foreign.withLock { foreign in
            defer { foreign.isWoken = true }
            return foreign.isWoken
        }
        // A full pipe wakes as well as one byte does, so the outcome does not matter.
        if !wasWoken { wakeWriteEnd.writeByteIgnoringErrors() }
    }

    private func takeForeign() {
        wakeReadEnd.drainIgnoringErrors()
        let (newJobs, work) = foreign.withLock { foreign in
            defer {
                foreign.jobs = []
                foreign.work = []
                foreign.isWoken = false
            }
            return (foreign.jobs, foreign.work)
        }
        state.pointee.jobs.append(contentsOf: newJobs)
        for action in work {
            action()
        }
    }
}
