/// The state of what those who watch files are still to be told.
struct Announcer {
    /// A key of which it is to be found out what has changed.
    struct Doubt {
        let directory: KeyNode
        /// Empty for the root of the mount itself.
        let name: String
        /// Whether it is sure that another client has changed it, even if it looks the same.
        var isCertain: Bool
        /// Whether it may have got children, or lost them.
        var isAboutShape: Bool
    }

    private var doubts: [Place: Doubt] = [:]
    private var order: [Place] = []
    private var underWay: Set<Place> = []
    var isAsking = false
    /// Keys that were seen since the batch was sent.
    private var seen: Set<Place> = []
    var own = OwnChanges()
    /// The number of changes when the last batch was asked for.
    var serial = 0
    /// Changes of our own that were answered before the last batch.
    private var olderOwnChanges: [Int] = []
    var calls = InotifyQueue()
    /// What was told of the value of the mount's root.
    var rootRecord: ChildRecords.Record?
    var hasLostCalls = false

    var hasDoubts: Bool { !doubts.isEmpty }
    /// Whether there are as many as are asked about together.
    var hasBatch: Bool { doubts.count >= FilesystemLimits.doubtBatch }

    mutating func add(_ doubt: Doubt) {
        let place = Place(directory: doubt.directory.id, name: doubt.name)
        // The answer that is under way may tell of this change already. If it does not, there is a
        // difference to be found.
        let isCertain = doubt.isCertain && !underWay.contains(place)
        if var known = doubts[place] {
            known.isCertain = known.isCertain || isCertain
            known.isAboutShape = known.isAboutShape || doubt.isAboutShape
            doubts[place] = known
        } else {
            var doubt = doubt
            doubt.isCertain = isCertain
            doubts[place] = doubt
            order.append(place)
        }
    }

    /// The oldest doubts, whose keys are asked for now.
    mutating func takeBatch() -> [Doubt] {
        seen = []
        let places = order.prefix(FilesystemLimits.doubtBatch)
        underWay = Set(places)
        let batch = places.compactMap { doubts.removeValue(forKey: $0) }
        order.removeFirst(places.count)
        return batch
    }

    /// The changes of our own that were answered a batch ago.
    mutating func takeAnsweredOwnChanges() -> [Int] {
        defer { olderOwnChanges = own.answered }
        return olderOwnChanges
    }

    /// Whether it matters that a key is seen.
    var wantsToKnow: Bool { isAsking || calls.hasRemovals }

    /// A key is there. It must not be removed if it was made again.
    mutating func noteSeen(_ name: String, in directory: KeyNode) {
        guard wantsToKnow else { return }
        let place = Place(directory: directory.id, name: name)
        if isAsking { seen.insert(place) }
        calls.noteSeen(place)
    }

    /// Whether a key was seen since the batch was sent.
    func hasSeen(_ name: String, in directory: KeyNode) -> Bool {
        seen.contains(Place(directory: directory.id, name: name))
    }

    /// The answers to a batch have come.
    mutating func batchIsDone() {
        underWay = []
    }

    /// Nothing comes any more that was expected.
    mutating func disconnected() {
        doubts = [:]
        order = []
        own.removeAll()
        olderOwnChanges = []
    }
}

/// Where a key is.
struct Place: Hashable {
    let directory: UInt64
    let name: String
}
