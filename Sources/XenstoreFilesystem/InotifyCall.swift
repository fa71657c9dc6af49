import XenstoreProtocol

/// A system call that the inotify agent makes on the mount: with it the kernel raises an inotify
/// event for what another client has done. The call is answered from memory and changes nothing.
public struct InotifyCall: Hashable, Sendable {
    /// Which call it is.
    public enum Operation: Hashable, Sendable {
        case create
        case makeDirectory
        case modify
        case changeAttributes
        case remove
        case removeDirectory
    }

    public var operation: Operation
    /// The path on the mount, without a slash at its beginning.
    public var path: String
}

/// A call that the agent is still to make, and what the requests that come of it are answered with.
final class PendingCall {
    let operation: InotifyCall.Operation
    let directory: KeyNode
    /// Empty for the root of the mount itself.
    let name: String
    /// What it is that the name leads to: the directory's own value for `.value`.
    let isOwnValue: Bool
    let kind: FileKind
    /// Of the moment at which the store was asked what has happened.
    let version: ChangeLog.Version
    private(set) var permissions: Permissions
    private(set) var size: Int
    /// Whether a file goes where a directory comes, or the other way round: the key is there.
    var isReshaping = false
    /// The names of the children that a directory is made with, each followed by a zero.
    var childNames: [UInt8]?
    /// Whether the key was seen since it was found to be gone: it was made again, and must not be
    /// removed.
    var isMadeAgain = false
    /// Whether the agent has looked it up: the kernel asks for the name each time that it is used.
    var isLookedUp = false
    /// Whether the call that matters has come.
    var isDone = false
    /// Whether it was sent to a process that died.
    var wasSent = false
    /// Whether what it tells has happened; nil while the store is still asked.
    private(set) var isTrue: Bool? = true
    private var waiters: [CheckedContinuation<Bool, Never>] = []

    init(
        _ operation: InotifyCall.Operation,
        _ name: String,
        in directory: KeyNode,
        _ kind: FileKind,
        _ permissions: Permissions,
        size: Int,
        asOf version: ChangeLog.Version
    ) {
        self.operation = operation
        self.directory = directory
        self.name = name
        self.kind = kind
        self.permissions = permissions
        self.size = size
        self.version = version
        isOwnValue = name == NameMeaning.ownValueName
    }

    /// That the content of a file has changed, as most changes do, before the store has said so:
    /// the agent is on its way when the answer comes. It waits for ``confirm(_:size:)`` or
    /// ``cancel()``.
    init(speculating name: String, in directory: KeyNode, asOf version: ChangeLog.Version) {
        operation = .modify
        self.directory = directory
        self.name = name
        kind = .file
        permissions = Permissions(owner: .privileged)
        size = 0
        self.version = version
        isOwnValue = false
        isTrue = nil
    }

    /// The content of a file has changed, as expected.
    func confirm(_ permissions: Permissions, size: Int) {
        self.permissions = permissions
        self.size = size
        decide(true)
    }

    /// Something else has happened than was expected, or it is not known in time.
    func cancel() {
        answer(false)
    }

    /// The store is asked once more whether it has happened.
    func askAgain() {
        isTrue = nil
    }

    /// The store has said whether it has happened.
    func answer(_ isTrue: Bool) {
        if self.isTrue == nil { decide(isTrue) }
    }

    /// Whether what it tells has happened, as soon as that is known.
    func hasHappened() async -> Bool {
        if let isTrue { return isTrue }
        return await withCheckedContinuation { waiters.append($0) }
    }

    private func decide(_ isTrue: Bool) {
        self.isTrue = isTrue
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters { waiter.resume(returning: isTrue) }
    }

    var isRemoval: Bool { operation == .remove || operation == .removeDirectory }

    var place: DentryKey { DentryKey(directory: directory.id, name: name) }
}

/// The calls that are to be made, in their order; one batch of them is at the agent at a time.
struct InotifyQueue {
    private var waiting: [PendingCall] = []
    /// Whether there is an agent.
    private var isReady = false
    /// How many calls it was given.
    private(set) var sentCount = 0
    var waitingCount: Int { waiting.count }
    /// Those at the agent.
    private(set) var sent: [PendingCall] = []

    /// Removals that wait or are at the agent.
    private var removals: [DentryKey: [PendingCall]] = [:]

    var hasRemovals: Bool { !removals.isEmpty }

    /// A key is there.
    func markExists(_ place: DentryKey) {
        for call in removals[place] ?? [] { call.isMadeAgain = true }
    }

    /// Adds a call, unless it waits already and nothing else has happened to its name since.
    ///
    /// - Returns: false where ``FilesystemLimits/pendingCalls`` wait: it is lost.
    mutating func add(_ call: PendingCall) -> Bool {
        if call.operation == .modify || call.operation == .changeAttributes {
            // Near the end, or not at all: older ones may be told once more.
            for other in waiting.suffix(8).reversed()
            where other.directory === call.directory && other.name == call.name {
                guard other.operation == call.operation else { break }
                return true
            }
        }
        guard waiting.count < FilesystemLimits.pendingCalls else { return false }
        waiting.append(call)
        if call.isRemoval { removals[call.place, default: []].append(call) }
        return true
    }

    /// Whether a call that was added now would be sent at once.
    var isIdle: Bool { isReady && sent.isEmpty && waiting.isEmpty }

    /// The speculative call at the agent that the store has not confirmed yet.
    func findSpeculative(_ place: DentryKey) -> PendingCall? {
        sent.first { $0.operation == .modify && $0.isTrue == nil && $0.place == place }
    }

    /// The store has not confirmed the speculative calls, and nobody is to wait any longer.
    func cancelSpeculative() {
        for call in sent where call.operation == .modify { call.cancel() }
    }

    /// The next batch, if the agent has nothing to do.
    mutating func takeBatch() -> [PendingCall] {
        guard isReady, sent.isEmpty, !waiting.isEmpty else { return [] }
        sent = Array(waiting.prefix(FilesystemLimits.callBatch))
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
        let again = sent.filter { !$0.isDone && !$0.wasSent && $0.isTrue == true }
        for call in again { call.wasSent = true }
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
    func find(_ name: String, in directory: KeyNode) -> PendingCall? {
        sent.first { !$0.isDone && $0.name == name && $0.directory === directory }
    }

    /// The call at the agent that a request about this key belongs to.
    func find(_ node: KeyNode, _ kind: FileKind) -> PendingCall? {
        sent.first { call in
            guard !call.isDone, call.kind == kind else { return false }
            guard !call.name.isEmpty else { return node.isRoot }
            return call.isOwnValue
                ? call.directory === node
                : call.directory === node.parent && call.name == node.name
        }
    }
}
