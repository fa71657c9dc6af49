/// The inotify events that are still due: keys of which the changes are to be found out, and the
/// calls that raise the events.
struct ChangeNotifier {
    /// A key of which it is to be found out what has changed.
    struct DirtyEntry {
        let directory: KeyNode
        /// Empty for the root of the mount itself.
        let name: String
        /// Whether it is sure that another client has changed it, even if it looks the same.
        var isCertain: Bool
        /// Whether it may have got children, or lost them.
        var isAboutShape: Bool
    }

    private var dirty: [DentryKey: DirtyEntry] = [:]
    private var order: [DentryKey] = []
    private var inFlight: Set<DentryKey> = []
    var isRevalidating = false
    /// Keys that were seen since the batch was sent.
    private var seen: Set<DentryKey> = []
    var localChanges = LocalChanges()
    /// Of the moment at which the last batch was asked for.
    var version = ChangeLog.Version.never
    /// Local changes that were answered before the last batch.
    private var olderLocalChanges: [Int] = []
    var calls = InotifyQueue()
    /// What was told of the value of the mount's root.
    var rootFingerprint: DirectorySnapshot.Fingerprint?
    var hasLostCalls = false

    var hasDirtyEntries: Bool { !dirty.isEmpty }
    /// Whether there are as many as are asked about together.
    var hasBatch: Bool { dirty.count >= FilesystemLimits.revalidationBatch }

    mutating func add(_ entry: DirtyEntry) {
        let place = DentryKey(directory: entry.directory.id, name: entry.name)
        // The answer that is under way may tell of this change already. If it does not, there is a
        // difference to be found.
        let isCertain = entry.isCertain && !inFlight.contains(place)
        if var known = dirty[place] {
            known.isCertain = known.isCertain || isCertain
            known.isAboutShape = known.isAboutShape || entry.isAboutShape
            dirty[place] = known
        } else {
            var entry = entry
            entry.isCertain = isCertain
            dirty[place] = entry
            order.append(place)
        }
    }

    /// The oldest entries, whose keys are asked for now.
    mutating func takeBatch() -> [DirtyEntry] {
        seen = []
        let places = order.prefix(FilesystemLimits.revalidationBatch)
        inFlight = Set(places)
        let batch = places.compactMap { dirty.removeValue(forKey: $0) }
        order.removeFirst(places.count)
        return batch
    }

    /// The local changes that were answered a batch ago.
    mutating func takeAnsweredLocalChanges() -> [Int] {
        defer { olderLocalChanges = localChanges.answered }
        return olderLocalChanges
    }

    /// Whether it matters that a key is seen.
    var wantsToKnow: Bool { isRevalidating || calls.hasRemovals }

    /// A key is there. It must not be removed if it was made again.
    mutating func markExists(_ name: String, in directory: KeyNode) {
        guard wantsToKnow else { return }
        let place = DentryKey(directory: directory.id, name: name)
        if isRevalidating { seen.insert(place) }
        calls.markExists(place)
    }

    /// Whether a key was seen since the batch was sent.
    func hasSeen(_ name: String, in directory: KeyNode) -> Bool {
        seen.contains(DentryKey(directory: directory.id, name: name))
    }

    /// The answers to a batch have come.
    mutating func batchIsDone() {
        inFlight = []
    }

    /// Nothing comes any more that was expected.
    mutating func disconnected() {
        dirty = [:]
        order = []
        localChanges.removeAll()
        olderLocalChanges = []
    }
}

/// Where a key is.
struct DentryKey: Hashable {
    let directory: UInt64
    let name: String
}
