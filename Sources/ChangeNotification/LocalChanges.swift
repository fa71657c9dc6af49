import XenstoreProtocol

/// The local changes, those that this mount makes itself, whose events are still to come: the
/// kernel has raised inotify's events for them already.
struct LocalChanges {
    private struct Change {
        let path: XenstorePath
        /// Whether all below the path goes with it.
        let coversBelow: Bool
        /// Which answer of the store it was; its events come before any later one.
        var answer: Int?
        var isAnswered: Bool { answer != nil }
    }

    private var changes: [Int: Change] = [:]
    private var byPath: [XenstorePath: Int] = [:]
    private var subtreeCount = 0
    private var next = 0
    /// Those that are answered, in the order of the answers.
    private var answered: ArraySlice<Int> = []
    /// The answer of the last one that was dropped before its events were known to have come.
    private var droppedAnswer = 0
    /// Changes that the store has answered so far.
    private(set) var answerCount = 0

    /// A request that changes a key is sent.
    mutating func begin(_ path: XenstorePath, coversBelow: Bool) -> Int {
        next += 1
        changes[next] = Change(path: path, coversBelow: coversBelow)
        byPath[path, default: 0] += 1
        if coversBelow { subtreeCount += 1 }
        return next
    }

    /// The store has answered it.
    ///
    /// - Parameter isDone: whether it has carried it out. A refusal has no events.
    mutating func answered(_ number: Int, isDone: Bool) {
        guard isDone else { return remove(number) }
        // Those that the connection was lost with are gone.
        guard changes[number] != nil else { return }
        answerCount += 1
        changes[number]?.answer = answerCount
        answered.append(number)
        // Some have no event that is asked about, as where the kernel has forgotten the directory.
        guard answered.count > NotifierLimits.answeredLocalChanges,
            let oldest = answered.popFirst()
        else { return }
        droppedAnswer = changes[oldest]?.answer ?? droppedAnswer
        remove(oldest)
    }

    /// Whether the event of a change at this path may be that of a local change.
    func contains(_ path: XenstorePath) -> Bool {
        guard !changes.isEmpty else { return false }
        if byPath[path] != nil { return true }
        guard subtreeCount > 0 else { return false }
        return changes.values.contains { $0.coversBelow && $0.path.contains(path) }
    }

    /// Whether a local change at this path waits for the store's answer.
    func isInFlight(_ path: XenstorePath) -> Bool {
        guard byPath[path] != nil || subtreeCount > 0 else { return false }
        return changes.values.contains { change in
            !change.isAnswered
                && (change.path == path || change.coversBelow && change.path.contains(path))
        }
    }

    /// Whether a local change at, above or below this path was answered after that many were: what
    /// the store was asked for then may be older, or of another key.
    func hasAnswered(_ path: XenstorePath, since count: Int) -> Bool {
        guard answerCount > count else { return false }
        // It is not known any more where those were.
        guard droppedAnswer <= count else { return true }
        return changes.values.contains { change in
            change.answer ?? 0 > count
                && (path.contains(change.path) || change.coversBelow && change.path.contains(path))
        }
    }

    /// Whether a local change that waits for the store's answer may make the key at this path.
    func isCreating(_ path: XenstorePath) -> Bool {
        changes.values.contains { change in
            !change.isAnswered && !change.coversBelow && path.contains(change.path)
        }
    }

    /// Whether any of the first `count` that were answered is left.
    func hasAnswered(upTo count: Int) -> Bool {
        guard let oldest = answered.first, let answer = changes[oldest]?.answer else {
            return false
        }
        return answer <= count
    }

    /// The events of the first `count` that were answered have come.
    mutating func removeAnswered(upTo count: Int) {
        while hasAnswered(upTo: count), let oldest = answered.popFirst() { remove(oldest) }
    }

    private mutating func remove(_ number: Int) {
        guard let change = changes.removeValue(forKey: number) else { return }
        if change.coversBelow { subtreeCount -= 1 }
        if let count = byPath[change.path] { byPath[change.path] = count > 1 ? count - 1 : nil }
    }

    mutating func removeAll() {
        changes = [:]
        answered = []
        byPath = [:]
        subtreeCount = 0
    }
}
