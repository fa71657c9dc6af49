/// The keys of which it is to be found out what has changed, each once, in the order of their first
/// events.
struct DirtySet<Inode: WatchedInode> {
    /// A key that an event has named, or one above it.
    struct Entry {
        let directory: Inode
        /// Empty for the root of the mount itself.
        let name: String
        /// Whether it is sure that another client has changed it, even if it looks the same.
        var isCertain: Bool
        /// Whether it may have got children, or lost them.
        var isAboutShape: Bool
    }

    private var entries: [DentryKey: Entry] = [:]
    private var order: [DentryKey] = []
    private var inFlight: Set<DentryKey> = []

    var isEmpty: Bool { entries.isEmpty }
    /// Whether there are as many as are asked about together.
    var hasBatch: Bool { entries.count >= NotifierLimits.revalidationBatch }

    mutating func insert(_ entry: Entry) {
        let place = DentryKey(directory: entry.directory.number, name: entry.name)
        // The answer that is under way may tell of this change already. If it does not, there is a
        // difference to be found.
        let isCertain = entry.isCertain && !inFlight.contains(place)
        if var known = entries[place] {
            known.isCertain = known.isCertain || isCertain
            known.isAboutShape = known.isAboutShape || entry.isAboutShape
            entries[place] = known
        } else {
            var entry = entry
            entry.isCertain = isCertain
            entries[place] = entry
            order.append(place)
        }
    }

    /// The oldest entries, whose keys are asked for now.
    mutating func takeBatch() -> [Entry] {
        let places = order.prefix(NotifierLimits.revalidationBatch)
        inFlight = Set(places)
        let batch = places.compactMap { entries.removeValue(forKey: $0) }
        order.removeFirst(places.count)
        return batch
    }

    /// The answers to a batch have come.
    mutating func batchIsDone() { inFlight = [] }

    mutating func removeAll() {
        entries = [:]
        order = []
    }
}
