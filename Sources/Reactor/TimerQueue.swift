/// Actions in the order of their times. Few at once, so a sorted array serves.
struct TimerQueue<Action> {
    private struct Entry {
        let id: TimerID
        let deadline: ContinuousClock.Instant
        let action: Action
    }

    /// Latest first, so that the next one is taken from the end.
    private var entries: [Entry] = []
    private var nextID: UInt64 = 1

    mutating func insert(at deadline: ContinuousClock.Instant, _ action: Action) -> TimerID {
        let id = TimerID(rawValue: nextID)
        nextID += 1
        let index = entries.firstIndex { $0.deadline <= deadline } ?? entries.endIndex
        entries.insert(Entry(id: id, deadline: deadline, action: action), at: index)
        return id
    }

    mutating func remove(_ id: TimerID) {
        entries.removeAll { $0.id == id }
    }

    var isEmpty: Bool { entries.isEmpty }

    /// Takes the next action whose time has come.
    mutating func takeFirst(upTo now: ContinuousClock.Instant) -> Action? {
        guard let last = entries.last, last.deadline <= now else { return nil }
        entries.removeLast()
        return last.action
    }

    /// The timeout for poll(2): -1 where there is no timer; rounded up, so that a timer has
    /// expired when that returns.
    func millisecondsUntilFirst(now: @autoclosure () -> ContinuousClock.Instant) -> Int32 {
        guard let last = entries.last else { return -1 }
        let (seconds, attoseconds) = (last.deadline - now()).components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let milliseconds =
            seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return Int32(clamping: milliseconds)
    }
}
