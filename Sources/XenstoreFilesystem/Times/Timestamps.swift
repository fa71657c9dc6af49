import XenstoreProtocol

/// When keys change. The store keeps no times: this mount takes note of what it changes itself, and
/// of what is another than it was when a program looked last.
final class Timestamps {
    private let keys: KeyTable
    private let changes: ChangeLog
    private let environment: FilesystemEnvironment
    private var foreseen = ForeseenEvents()
    /// What the times of keys are that were not seen to change.
    var started: Timestamp

    init(of keys: KeyTable, _ changes: ChangeLog, _ environment: FilesystemEnvironment) {
        self.keys = keys
        self.changes = changes
        self.environment = environment
        started = environment.now()
    }

    /// The times that stat(2) shows of a key's file or directory.
    func times(of node: KeyNode, _ kind: FileKind) -> (modified: Timestamp, changed: Timestamp) {
        guard let times = node.timed.times else { return (started, started) }
        switch kind {
        case .file:
            return (
                Timestamp(sinceEpoch: times.value), Timestamp(sinceEpoch: times.valueStatus)
            )
        case .directory:
            return (Timestamp(sinceEpoch: times.list), Timestamp(sinceEpoch: times.listStatus))
        }
    }

    /// The times of a key, to be changed.
    private func changing(_ node: KeyNode) -> KeyTimes {
        let times = node.timed.times ?? KeyTimes(started)
        node.timed.times = times
        return times
    }

    private var now: Int64 { environment.now().sinceEpoch }

    // MARK: By this mount

    /// A program sets st_mtime. What others have changed before is older.
    func setModified(_ time: Timestamp, of node: KeyNode, _ kind: FileKind) {
        let (times, now) = (changing(node), now)
        switch kind {
        case .file:
            (times.value, times.valueStatus) = (time.sinceEpoch, now)
            (node.timed.valueDigest, node.timed.mayHaveChanged, node.timed.valueTimeIsSet) = (
                0, false, true
            )
        case .directory:
            (times.list, times.listStatus) = (time.sinceEpoch, now)
            (node.timed.listIsKnown, node.timed.listMayHaveChanged) = (false, false)
        }
    }

    /// A key is new, and empty.
    func made(_ node: KeyNode) {
        let (times, now) = (changing(node), now)
        times.valueChanged(at: now)
        times.listChanged(at: now)
        node.timed.valueDigest = Digest.ofNothing
        (node.timed.listDigest, node.timed.listIsKnown) = (0, true)
        (node.timed.mayHaveChanged, node.timed.listMayHaveChanged, node.timed.valueTimeIsSet) = (
            false, false, false
        )
    }

    /// A key is met for the first time: it may be new.
    func met(_ node: KeyNode, at path: XenstorePath) {
        if changes.isWatching, let time = changes.time(of: path) { met(node, at: time) }
    }

    /// A key is met for the first time, and its event came at that time.
    func met(_ node: KeyNode, at time: Timestamp) {
        let times = changing(node)
        times.valueChanged(at: time.sinceEpoch)
        times.listChanged(at: time.sinceEpoch)
    }

    /// A key has another name.
    func changedStatus(of node: KeyNode) { changing(node).statusChanged(at: now) }

    /// A scratch file has become the value of a key: its times go along.
    func replacedValue(of node: KeyNode, by value: [UInt8], modified: Timestamp) {
        let times = changing(node)
        times.valueChanged(at: now)
        times.value = modified.sinceEpoch
        (node.timed.valueDigest, node.timed.mayHaveChanged, node.timed.valueTimeIsSet) = (
            Digest.of(value), false, true
        )
    }

    /// This mount has changed the list of a directory.
    ///
    /// - Parameters:
    ///   - added: the name of a key that was not there before.
    ///   - removed: the name of one that is no more.
    func changedList(
        of directory: KeyNode,
        adding added: String? = nil,
        removing removed: String? = nil
    ) {
        let (times, now) = (changing(directory), now)
        times.listChanged(at: now)
        // What others have changed before does not bring it back.
        if directory.timed.listMayHaveChanged { times.lastEvent = now }
        if let added { directory.timed.listDigest &+= Digest.of(Array(added.utf8)) }
        if let removed { directory.timed.listDigest &-= Digest.of(Array(removed.utf8)) }
    }

    /// The store has answered requests of this mount. What is moved keeps the time of its value.
    ///
    /// - Parameter isDone: whether it has carried them out.
    func answered(_ requests: [Request], isDone: Bool) {
        let time = environment.elapsed()
        for path in requests.compactMap(\.changedPath) {
            if isDone { foreseen.confirm(path, at: time) } else { foreseen.cancel(path) }
        }
        guard isDone, !requests.isMove else { return }
        for request in requests {
            guard let path = request.changedPath, let node = keys.find(path) else { continue }
            switch request {
            case .write(_, let value): noteValue(Digest.of(value), of: node, at: now)
            case .setPermissions(_, let permissions):
                changing(node).statusChanged(at: now)
                node.see(permissions)
            default: break
            }
        }
    }

    private func noteValue(_ digest: UInt32, of node: KeyNode, at time: Int64) {
        let times = changing(node)
        times.valueChanged(at: time)
        // `.value` is listed where there is one.
        let known = node.timed.valueDigest
        if known != 0, digest != 0, (known == Digest.ofNothing) != (digest == Digest.ofNothing) {
            times.listChanged(at: time)
        }
        (node.timed.valueDigest, node.timed.mayHaveChanged, node.timed.valueTimeIsSet) = (
            digest, false, false
        )
    }

    // MARK: Events of local changes

    /// A change is made, or seen, whose events are to come.
    ///
    /// - Parameter count: how many there are at most.
    func foresee(_ path: XenstorePath, count: Int = 1) {
        guard changes.isWatching else { return }
        foreseen.expect(path, count: count, at: environment.elapsed())
    }

    /// Takes the event of a watch.
    ///
    /// - Returns: whether it was foreseen, and so moves no time again.
    func takeForeseen(_ path: XenstorePath) -> Bool {
        foreseen.take(path, at: environment.elapsed())
    }

    /// No event comes any more that was foreseen.
    func disconnected() { foreseen.removeAll() }

    // MARK: By others

    /// An event names a key.
    func event(of node: KeyNode) {
        changing(node).lastEvent = now
        node.timed.mayHaveChanged = true
    }

    /// An event names a place below a key. The key has other children now, or one of them has
    /// another value.
    ///
    /// - Parameter isKnown: whether the child was there.
    /// - Returns: whether the names are to be compared when the store says them.
    @discardableResult
    func listEvent(of directory: KeyNode, child isKnown: Bool) -> Bool {
        // Where the names fit no message, the likely is taken for the truth.
        guard directory.timed.listIsKnown || !isKnown else { return false }
        changing(directory).lastEvent = now
        directory.timed.listMayHaveChanged = true
        return true
    }

    /// A key was found to be gone.
    func lost(_ node: KeyNode) {
        guard !node.isGone, let parent = node.parent, !parent.timed.listIsKnown else { return }
        changing(parent).listChanged(at: now)
    }

    /// Compares all that the store says of a key with what was seen of it last.
    func learned(_ stat: KeyStat, of node: KeyNode, at path: XenstorePath) {
        learnedValue(stat, of: node, at: path, comparing: stat.permissions)
        let wereAsked = node.hasChildren == nil && stat.hasChildren
        learnedNames(stat.names, of: node, at: path, wereAsked: wereAsked, asOf: stat.version)
    }

    /// Compares the value that the store says a key has with the one that was seen last.
    ///
    /// - Parameter permissions: those that came with it; nil where they were not asked for.
    func learnedValue(
        _ stat: KeyStat,
        of node: KeyNode,
        at path: XenstorePath,
        comparing permissions: Permissions? = nil
    ) {
        let (digest, known) = (Digest.of(stat.value), node.timed.valueDigest)
        let isOther = permissions.map { $0 != node.seenPermissions } ?? false
        guard known != digest || node.timed.mayHaveChanged || isOther else { return }
        // Another may be at the path since it was asked.
        guard node.isAt(path) else { return }
        let isChmod = isOther && node.seenPermissions != nil
        if isOther, let permissions { see(permissions, of: node) }
        guard node.timed.mayHaveChanged || known != 0 && known != digest || isChmod else {
            node.timed.valueDigest = digest
            return
        }
        let isAsSeen = known == digest && !isChmod
        // The answer may be of the time before the event.
        guard !isAsSeen || !changes.hasChanged(path, since: stat.version) else { return }
        let time = node.timed.mayHaveChanged ? changing(node).lastEvent : now
        // Its event is late.
        if !node.timed.mayHaveChanged { foresee(path) }
        if isChmod { changing(node).statusChanged(at: time) }
        // What looks the same was written again.
        if known != 0 && known != digest || !isChmod { noteValue(digest, of: node, at: time) }
        (node.timed.valueDigest, node.timed.mayHaveChanged) = (digest, false)
    }

    /// A key inherits its parent's permissions: most share them, and need no copy.
    private func see(_ permissions: Permissions, of node: KeyNode) {
        let inherited = node.parent?.seenPermissions
        node.see(inherited == permissions ? inherited ?? permissions : permissions)
    }

    /// Compares the names in a directory with those that were there.
    ///
    /// - Parameters:
    ///   - names: each followed by a zero; nil where they fit no message, or were not asked for.
    ///   - wereAsked: whether the answer is new in any case.
    ///   - version: of the moment at which the store was asked.
    func learnedNames(
        _ names: [UInt8]?,
        of node: KeyNode,
        at path: XenstorePath,
        wereAsked: Bool = false,
        asOf version: ChangeLog.Version
    ) {
        guard names != nil || wereAsked && node.timed.listMayHaveChanged else { return }
        let digest = names.map(Digest.ofNames)
        if node.timed.listMayHaveChanged, node.timed.listIsKnown, digest == node.timed.listDigest {
            // The answer may be of the time before the event.
            node.timed.listMayHaveChanged = changes.hasChanged(path, since: version)
            return
        }
        if node.timed.listMayHaveChanged && !node.timed.listIsKnown
            || node.timed.listIsKnown && digest != node.timed.listDigest
        {
            let times = changing(node)
            times.listChanged(at: node.timed.listMayHaveChanged ? times.lastEvent : now)
        }
        (node.timed.listDigest, node.timed.listIsKnown) = (digest ?? 0, digest != nil)
        node.timed.listMayHaveChanged = false
    }

    /// A key is gone, and nothing of it holds for one that is made there later.
    func forget(_ node: KeyNode) {
        (node.timed.valueDigest, node.timed.listIsKnown, node.timed.valueTimeIsSet) = (
            0, false, false
        )
    }

    // MARK: Transactions

    /// A transaction shows the times that a key has outside, until it changes the key.
    ///
    /// - Parameter outside: the times of all keys there.
    func inherit(_ path: XenstorePath, to node: KeyNode, from outside: Timestamps) {
        guard let times = outside.keys.find(path)?.timed.times else { return }
        changing(node).become(times)
    }

    /// A transaction of this mount has changed a key.
    func committed(_ path: XenstorePath, isValue: Bool) {
        guard let node = keys.find(path) else { return }
        if isValue {
            noteValue(0, of: node, at: now)
        } else {
            changedStatus(of: node)
        }
    }

    /// Takes over the times that were set in a transaction which was committed.
    func adopt(_ paths: [XenstorePath], from other: Timestamps) {
        for path in paths {
            guard let node = other.keys.find(path), node.timed.valueTimeIsSet,
                let times = node.timed.times
            else { continue }
            keys.remember(path) { known in
                changing(known).valueChanged(at: now)
                changing(known).value = times.value
                known.timed.valueTimeIsSet = true
            }
        }
    }
}

/// What a key holds for ``Timestamps``, and that alone sees.
struct TimeState {
    private struct Flags: OptionSet {
        let rawValue: UInt8

        static let mayHaveChanged = Flags(rawValue: 1 << 0)
        static let listMayHaveChanged = Flags(rawValue: 1 << 1)
        static let listIsKnown = Flags(rawValue: 1 << 2)
        static let valueTimeIsSet = Flags(rawValue: 1 << 3)
    }

    /// When it changed; nil where this mount has seen no change of it.
    fileprivate var times: KeyTimes?
    /// What the value was last; 0 where that is not known.
    fileprivate var valueDigest: UInt32 = 0
    /// The sum of the children's names, where ``listIsKnown``.
    fileprivate var listDigest: UInt32 = 0
    private var flags: Flags = []

    /// Whether an event named the key, and the store was not asked for it since.
    fileprivate var mayHaveChanged: Bool {
        get { flags.contains(.mayHaveChanged) }
        set { flags.set(.mayHaveChanged, newValue) }
    }

    /// Whether an event named a place below the key, and the store was not asked for the list
    /// since.
    fileprivate var listMayHaveChanged: Bool {
        get { flags.contains(.listMayHaveChanged) }
        set { flags.set(.listMayHaveChanged, newValue) }
    }

    /// Whether ``listDigest`` is that of the names that were seen last.
    fileprivate var listIsKnown: Bool {
        get { flags.contains(.listIsKnown) }
        set { flags.set(.listIsKnown, newValue) }
    }

    /// Whether a program has set the time of its value.
    fileprivate var valueTimeIsSet: Bool {
        get { flags.contains(.valueTimeIsSet) }
        set { flags.set(.valueTimeIsSet, newValue) }
    }
}
