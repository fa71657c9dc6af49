/// The calls that are to be made, in their order; one batch of them is at the agent at a time.
struct InotifyQueue<Tree: WatchedTree> {
    typealias Call = PendingCall<Tree>

    private var waiting: [Call] = []
    /// Whether there is an agent.
    private var isReady = false
    /// How many calls it was given.
    private(set) var sentCount = 0
    var waitingCount: Int { waiting.count }
    /// Those at the agent.
    private(set) var sent: [Call] = []
    /// Removals that wait or are at the agent.
    private var removals: [DentryKey: [Call]] = [:]

    var hasRemovals: Bool { !removals.isEmpty }

    /// A key is there.
    func markExists(_ place: DentryKey) {
        for call in removals[place] ?? [] { call.progress.isMadeAgain = true }
    }

    /// Adds a call, unless it waits already and nothing else has happened to its name since.
    ///
    /// - Returns: false where ``NotifierLimits/pendingCalls`` wait: it is lost.
    mutating func add(_ call: Call) -> Bool {
        if call.operation == .modify || call.operation == .changeAttributes {
            // Near the end, or not at all: older ones may be told once more.
            for other in waiting.suffix(8).reversed()
            where other.directory === call.directory && other.name == call.name {
                guard other.operation == call.operation else { break }
                return true
            }
        }
        guard waiting.count < NotifierLimits.pendingCalls else { return false }
        waiting.append(call)
        if call.isRemoval { removals[call.place, default: []].append(call) }
        return true
    }

    /// Whether a call that was added now would be sent at once.
    var isIdle: Bool { isReady && sent.isEmpty && waiting.isEmpty }

    /// The speculative call at the agent that the store has not confirmed yet.
    func findSpeculative(_ place: DentryKey) -> Call? {
        sent.first { $0.operation == .modify && $0.isTrue == nil && $0.place == place }
    }

    /// The store has not confirmed the speculative calls, and nobody is to wait any longer.
    func cancelSpeculative() {
        for call in sent where call.operation == .modify { call.cancel() }
    }

    /// The next batch, if the agent has nothing to do.
    mutating func takeBatch() -> [Call] {
        guard isReady, sent.isEmpty, !waiting.isEmpty else { return [] }
        sent = Array(waiting.prefix(NotifierLimits.callBatch))
        waiting.removeFirst(sent.count)
        sentCount += sent.count
        return sent
    }

    /// The agent has made all of its batch.
    mutating func done() {
        cancelSpeculative()
        for call in sent where call.isRemoval {
            removals[call.place]?.removeAll { $0 === call }
            if removals[call.place]?.isEmpty == true { removals[call.place] = nil }
        }
        sent = []
    }

    /// There is an agent, or another one: what was not made yet is sent again, but only once.
    mutating func started() {
        isReady = true
        cancelSpeculative()
        let again = sent.filter { !$0.progress.isDone && !$0.progress.wasSent && $0.isTrue == true }
        for call in again { call.progress.wasSent = true }
        sent.removeAll { call in again.contains { $0 === call } }
        done()
        waiting = again + waiting
    }

    /// There is no agent any more.
    mutating func ended() {
        cancelSpeculative()
        let sentCount = sentCount
        self = InotifyQueue()
        self.sentCount = sentCount
    }

    /// The call at the agent that a request about this name belongs to.
    func find(_ name: String, in directory: Tree.Inode) -> Call? {
        sent.first { !$0.progress.isDone && $0.name == name && $0.directory === directory }
    }

    /// The call at the agent that a request about this key belongs to.
    func find(_ inode: Tree.Inode, isDirectory: Bool) -> Call? {
        sent.first { call in
            guard !call.progress.isDone, call.isOfDirectory == isDirectory else { return false }
            guard !call.name.isEmpty else { return inode.isRoot }
            return call.isOwnValue
                ? call.directory === inode
                : call.directory === inode.parent && call.name == inode.name
        }
    }
}
