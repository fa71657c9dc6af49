import XenstoreProtocol

/// When keys change. The store keeps no times: this mount takes note of what it changes itself, and
/// of what is another than it was when a program looked last.
extension Filesystem {
    /// The times that stat(2) shows of a key's file or directory.
    func times(of node: KeyNode, _ kind: FileKind) -> (modified: Timestamp, changed: Timestamp) {
        guard let times = node.times else { return (keys.started, keys.started) }
        switch kind {
        case .file:
            return (
                Timestamp(sinceEpoch: times.value), Timestamp(sinceEpoch: times.valueStatus)
            )
        case .directory:
            return (Timestamp(sinceEpoch: times.list), Timestamp(sinceEpoch: times.listStatus))
        }
    }

    private func changing(_ node: KeyNode) -> KeyTimes { node.times(since: keys.started) }

    private var now: Int64 { environment.now().sinceEpoch }

    // MARK: By this mount

    /// A program sets st_mtime. What others have changed before is older.
    func setModified(_ time: Timestamp, of node: KeyNode, _ kind: FileKind) {
        let (times, now) = (changing(node), now)
        switch kind {
        case .file:
            (times.value, times.valueStatus) = (time.sinceEpoch, now)
            (node.valueDigest, node.mayHaveChanged, node.valueTimeIsSet) = (0, false, true)
        case .directory:
            (times.list, times.listStatus) = (time.sinceEpoch, now)
            (node.listIsKnown, node.listMayHaveChanged) = (false, false)
        }
    }

    /// A key is new, and empty.
    func noteMade(_ node: KeyNode) {
        let (times, now) = (changing(node), now)
        times.valueChanged(at: now)
        times.listChanged(at: now)
        node.valueDigest = Digest.ofNothing
        (node.listDigest, node.listIsKnown) = (0, true)
        (node.mayHaveChanged, node.listMayHaveChanged, node.valueTimeIsSet) = (false, false, false)
    }

    /// A key is met for the first time: it may be new.
    func noteMet(_ node: KeyNode, at path: XenstorePath) {
        if changes.isWatching, let time = changes.time(of: path) { noteMet(node, at: time) }
    }

    /// A key is met for the first time, and its event came at that time.
    func noteMet(_ node: KeyNode, at time: Timestamp) {
        let times = changing(node)
        times.valueChanged(at: time.sinceEpoch)
        times.listChanged(at: time.sinceEpoch)
    }

    /// A key has another name.
    func noteStatus(of node: KeyNode) { changing(node).statusChanged(at: now) }

    /// A scratch file has become the value of a key: its times go along.
    func noteRenamed(_ file: ScratchFile, to node: KeyNode, with value: [UInt8]) {
        let times = changing(node)
        times.valueChanged(at: now)
        times.value = file.modified.sinceEpoch
        (node.valueDigest, node.mayHaveChanged, node.valueTimeIsSet) = (
            Digest.of(value), false, true
        )
    }

    /// This mount has changed the list of a directory.
    ///
    /// - Parameters:
    ///   - added: the name of a key that was not there before.
    ///   - removed: the name of one that is no more.
    func noteList(
        of directory: KeyNode,
        adding added: String? = nil,
        removing removed: String? = nil
    ) {
        let (times, now) = (changing(directory), now)
        times.listChanged(at: now)
        // What others have changed before does not bring it back.
        if directory.listMayHaveChanged { times.lastEvent = now }
        if let added { directory.listDigest &+= Digest.of(Array(added.utf8)) }
        if let removed { directory.listDigest &-= Digest.of(Array(removed.utf8)) }
    }

    /// The store has answered requests of this mount. What is moved keeps the time of its value.
    ///
    /// - Parameter isDone: whether it has carried them out.
    func applyTimes(of requests: [Request], _ isDone: Bool) {
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
        let known = node.valueDigest
        if known != 0, digest != 0, (known == Digest.ofNothing) != (digest == Digest.ofNothing) {
            times.listChanged(at: time)
        }
        (node.valueDigest, node.mayHaveChanged, node.valueTimeIsSet) = (digest, false, false)
    }

    // MARK: Events of local changes

    /// A change is made, or seen, whose events are to come.
    ///
    /// - Parameter count: how many there are at most.
    func foresee(_ path: XenstorePath, count: Int = 1) {
        guard changes.isWatching else { return }
        foreseen.expect(path, count: count, at: environment.elapsed())
    }

    // MARK: By others

    /// An event names a key.
    func noteKeyEvent(of node: KeyNode) {
        changing(node).lastEvent = now
        node.mayHaveChanged = true
    }

    /// An event names a place below a key. The key has other children now, or one of them has
    /// another value.
    ///
    /// - Parameter isKnown: whether the child was there.
    func noteListEvent(of directory: KeyNode, child isKnown: Bool) {
        // Where the names fit no message, the likely is taken for the truth.
        guard directory.listIsKnown || !isKnown else { return }
        directory.hasChildren = nil
        changing(directory).lastEvent = now
        directory.listMayHaveChanged = true
    }

    /// A key was found to be gone.
    func noteListLost(by node: KeyNode) {
        guard !node.isGone, let parent = node.parent, !parent.listIsKnown else { return }
        changing(parent).listChanged(at: now)
    }

    /// Compares all that the store says of a key with what was seen of it last.
    func noteTimes(of node: KeyNode, _ stat: KeyStat, at path: XenstorePath) {
        noteTimesOfValue(stat, of: node, at: path, comparing: stat.permissions)
        let wereAsked = node.hasChildren == nil && stat.hasChildren
        noteNames(of: node, at: path, stat.names, wereAsked: wereAsked, asOf: stat.version)
    }

    /// Compares the value that the store says a key has with the one that was seen last.
    ///
    /// - Parameter permissions: those that came with it; nil where they were not asked for.
    func noteTimesOfValue(
        _ stat: KeyStat,
        of node: KeyNode,
        at path: XenstorePath,
        comparing permissions: Permissions? = nil
    ) {
        let (digest, known) = (Digest.of(stat.value), node.valueDigest)
        let isOther = permissions.map { $0 != node.seenPermissions } ?? false
        guard known != digest || node.mayHaveChanged || isOther else { return }
        // Another may be at the path since it was asked.
        guard node.isAt(path) else { return }
        let isChmod = isOther && node.seenPermissions != nil
        if isOther, let permissions { see(permissions, of: node) }
        guard node.mayHaveChanged || known != 0 && known != digest || isChmod else {
            node.valueDigest = digest
            return
        }
        let isAsSeen = known == digest && !isChmod
        // The answer may be of the time before the event.
        guard !isAsSeen || !changes.hasChanged(path, since: stat.version) else { return }
        let time = node.mayHaveChanged ? changing(node).lastEvent : now
        // Its event is late.
        if !node.mayHaveChanged { foresee(path) }
        if isChmod { changing(node).statusChanged(at: time) }
        // What looks the same was written again.
        if known != 0 && known != digest || !isChmod { noteValue(digest, of: node, at: time) }
        (node.valueDigest, node.mayHaveChanged) = (digest, false)
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
    func noteNames(
        of node: KeyNode,
        at path: XenstorePath,
        _ names: [UInt8]?,
        wereAsked: Bool = false,
        asOf version: ChangeLog.Version
    ) {
        guard names != nil || wereAsked && node.listMayHaveChanged else { return }
        let digest = names.map(Digest.ofNames)
        if node.listMayHaveChanged, node.listIsKnown, digest == node.listDigest {
            // The answer may be of the time before the event.
            node.listMayHaveChanged = changes.hasChanged(path, since: version)
            return
        }
        if node.listMayHaveChanged && !node.listIsKnown
            || node.listIsKnown && digest != node.listDigest
        {
            let times = changing(node)
            times.listChanged(at: node.listMayHaveChanged ? times.lastEvent : now)
        }
        (node.listDigest, node.listIsKnown) = (digest ?? 0, digest != nil)
        node.listMayHaveChanged = false
    }

    // MARK: Transactions

    /// A transaction shows the times that a key has outside, until it changes the key.
    func inheritTimes(of path: XenstorePath, to node: KeyNode) {
        guard let times = keys.find(path)?.times else { return }
        node.times(since: keys.started).become(times)
    }

    /// A transaction of this mount has changed a key.
    func noteCommittedTimes(_ path: XenstorePath, isValue: Bool) {
        if isValue, let parent = path.parent, let directory = keys.find(parent) {
            noteListEvent(of: directory, child: false)
        }
        guard let node = keys.find(path) else { return }
        if isValue {
            noteValue(0, of: node, at: now)
        } else {
            noteStatus(of: node)
        }
    }

    /// Takes over the times that were set in a transaction which was committed.
    func adoptTimes<Other>(of paths: [XenstorePath], from other: Filesystem<Other>) {
        for path in paths {
            guard let node = other.keys.find(path), node.valueTimeIsSet, let times = node.times
            else { continue }
            keys.remember(path) { known in
                changing(known).valueChanged(at: now)
                changing(known).value = times.value
                known.valueTimeIsSet = true
            }
        }
    }
}
