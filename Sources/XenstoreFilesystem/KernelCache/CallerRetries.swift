/// What the kernel, or a program's read(2), does again for a thread: it was answered ESTALE, and
/// looks the name up before it tries once more, or EINTR, and asks for attributes first.
///
/// The kernel tries no more than once: each answer must be the last of its kind for a system call.
final class CallerRetries {
    private let environment: FilesystemEnvironment
    /// Since when the reads of threads by way of the kernel's cache are interrupted, until they ask
    /// for attributes.
    private var interruptedReads: [CallerID: Duration] = [:] { didSet { note() } }
    /// Threads that look a name up again, as they could not open what the kernel had there.
    private var opens = OpenRetries() { didSet { note() } }
    /// Threads that look a name up again, as the key has the other shape by now.
    private var names: Set<CallerID> = [] { didSet { note() } }
    /// The keys that threads were to look up again when they opened them, until they do.
    private var staleOpens: [CallerID: UInt64] = [:]
    /// Whether there is any of these threads: nearly each call of a program asks.
    private(set) var isAny = false
    /// Names that programs have looked up or look up now: the agent keeps out of their way.
    private var lookups = (begun: 0, ended: 0)
    /// The agent waits here for programs that are about to read.
    private let quiet = Quiet()

    init(_ environment: FilesystemEnvironment) {
        self.environment = environment
    }

    private func note() {
        isAny = !(interruptedReads.isEmpty && opens.isEmpty && names.isEmpty)
    }

    // MARK: What threads do

    /// A thread looks a name up.
    func beginLookup(by caller: CallerID) {
        lookups.begun += 1
        if !staleOpens.isEmpty { staleOpens[caller] = nil }
    }

    func endLookup() { lookups.ended += 1 }

    /// A thread asks for attributes: it tries nothing again.
    func askedForAttributes(_ caller: CallerID) {
        guard isAny else { return }
        interruptedReads[caller] = nil
        endOpen(by: caller)
    }

    /// A program has closed a file, or read it.
    func noteQuiet() { quiet.note() }

    // MARK: Opening

    /// The kernel lets the thread open a file once more.
    func beginOpen(by caller: CallerID) {
        opens.begin(by: caller, at: environment.elapsed())
    }

    /// Whether a thread is to open a file once more.
    func isOpening(_ caller: CallerID) -> Bool { isAny && opens.contains(caller) }

    /// - Returns: whether the thread was to open a file once more.
    @discardableResult
    func endOpen(by caller: CallerID) -> Bool {
        guard isAny, opens.end(by: caller) else { return false }
        quiet.note()
        return true
    }

    /// A file that a thread opens is gone: the kernel looks the name up again, and finds that there
    /// is nothing, or creates the file.
    ///
    /// - Returns: false for a thread that comes again without a lookup, or at once after one: the
    ///   kernel would not look once more.
    func beginOpenOfGone(_ node: KeyNode, by caller: CallerID) -> Bool {
        guard staleOpens[caller] != node.id, !endOpen(by: caller) else { return false }
        beginOpen(by: caller)
        if staleOpens.count >= FilesystemLimits.threadStats { staleOpens = [:] }
        staleOpens[caller] = node.id
        return true
    }

    // MARK: Names

    /// - Returns: whether the thread has looked a name up again.
    func endName(by caller: CallerID) -> Bool { isAny && names.remove(caller) != nil }

    /// The kernel is to look a name up again for the thread.
    func beginName(by caller: CallerID) {
        if names.count >= FilesystemLimits.threadStats { names = [] }
        names.insert(caller)
    }

    // MARK: Reading

    /// The next try of read(2) asks for the attributes first, as soon as the kernel has dropped
    /// those that it has. That of sendfile(2) does not, and would go on for ever.
    ///
    /// - Returns: whether the thread's read may be interrupted.
    func mayInterruptRead(by caller: CallerID) -> Bool {
        let now = environment.elapsed()
        let since = interruptedReads[caller] ?? now
        guard now - since < FilesystemLimits.quietPeriod else {
            interruptedReads[caller] = nil
            return false
        }
        if interruptedReads.count >= FilesystemLimits.threadStats { interruptedReads = [:] }
        interruptedReads[caller] = since
        return true
    }

    // MARK: The agent

    /// Waits for programs that are about to open a file once more, and as long as one reads the
    /// file that the agent changes: the kernel takes a size with the answer, and could move the end
    /// of what they read.
    func settle(whileReading isBeingRead: () -> Bool) async {
        await quiet.wait(
            while: isBeingRead,
            within: { environment.after(FilesystemLimits.reading, $0) }
        )
        await quiet.wait(
            while: { opens.isInFlight(at: environment.elapsed) },
            within: { environment.after(FilesystemLimits.openRetry, $0) }
        )
    }

    /// Waits until no program is on its way along a path, or was a moment ago.
    func waitForQuiet() async {
        for _ in 0..<FilesystemLimits.quietTimes {
            let before = lookups
            await withCheckedContinuation { continuation in
                environment.after(FilesystemLimits.quietTime) { continuation.resume() }
            }
            if before == lookups, lookups.begun == lookups.ended { return }
        }
    }
}
