import XenstoreProtocol

/// The events that wait for their user, each once.
final class PendingEvents {
    private let limit: Int
    private var events: [WatchEvent] = []
    private var known: Set<WatchEvent> = []
    private var hasOverflowed = false

    init(limit: Int) {
        self.limit = limit
    }

    /// - Returns: whether the queue was empty and is no longer.
    func append(_ event: WatchEvent) -> Bool {
        // Special events are told each time, as the daemons do: two domains may have come.
        let isNew = known.insert(event).inserted || event.path.isSpecial
        guard isNew else { return false }
        guard events.count < limit else {
            known.remove(event)
            hasOverflowed = true
            return false
        }
        events.append(event)
        return events.count == 1
    }

    func takeAll() -> [WatchEvent] {
        known.removeAll(keepingCapacity: true)
        defer { events = [] }
        return events
    }

    func takeOverflow() -> Bool {
        defer { hasOverflowed = false }
        return hasOverflowed
    }
}
