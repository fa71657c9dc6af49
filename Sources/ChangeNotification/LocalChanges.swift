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
    mutating func answered(_ number: Int) {
        answerCount += 1
        changes[number]?.answer = answerCount
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

    /// Those that are answered.
    var answered: [Int] { changes.filter { $0.value.isAnswered }.map(\.key) }

    /// The events of these have come.
    mutating func remove(_ numbers: [Int]) {
        for number in numbers {
            guard let change = changes.removeValue(forKey: number) else { continue }
            if change.coversBelow { subtreeCount -= 1 }
            if let count = byPath[change.path] { byPath[change.path] = count > 1 ? count - 1 : nil }
        }
    }

    mutating func removeAll() {
        changes = [:]
        byPath = [:]
        subtreeCount = 0
    }
}
