import XenstoreProtocol

/// Events to come of changes that are known already: this mount's own, and what a look at a key
/// has shown before its event came. They move no time again.
///
/// A store may send one event for several changes: what is left of a key is dropped after
/// ``FilesystemLimits/foreseenEvents``. An event of another client that is taken for one of these
/// hides nothing but that the same value was written again: what has changed is seen with the next
/// look.
struct ForeseenEvents {
    private var counts: [XenstorePath: (count: Int, since: Duration)] = [:]
    private var purged = Duration.zero

    /// A change is made or seen: one event of it is to come, or has come and was not taken yet.
    mutating func expect(_ path: XenstorePath, count: Int = 1, at now: Duration) {
        if counts.count >= FilesystemLimits.changeLog,
            now - purged > FilesystemLimits.foreseenEvents
        {
            purged = now
            counts = counts.filter { now - $0.value.since <= FilesystemLimits.foreseenEvents }
        }
        let known = counts[path].map { isOver($0.since, now) ? 0 : $0.count } ?? 0
        counts[path] = (known + count, now)
    }

    /// The store has answered: its event comes now, if not before.
    mutating func confirm(_ path: XenstorePath, at now: Duration) {
        counts[path]?.since = now
    }

    /// A change was not made after all.
    mutating func cancel(_ path: XenstorePath) {
        guard let count = counts[path]?.count else { return }
        if count > 1 { counts[path]?.count = count - 1 } else { counts[path] = nil }
    }

    /// Whether an event at this path was expected; it is no more.
    mutating func take(_ path: XenstorePath, at now: Duration) -> Bool {
        guard !counts.isEmpty, let (count, since) = counts[path] else { return false }
        if count > 1 { counts[path]?.count = count - 1 } else { counts[path] = nil }
        return !isOver(since, now)
    }

    mutating func removeAll() { counts = [:] }

    private func isOver(_ since: Duration, _ now: Duration) -> Bool {
        now - since > FilesystemLimits.foreseenEvents
    }
}
