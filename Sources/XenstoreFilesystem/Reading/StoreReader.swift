import XenstoreProtocol

/// Takes what the store answers.
protocol StoreAnswerObserver: AnyObject {
    /// The store has said this of a key.
    func learned(_ stat: KeyStat, of node: KeyNode, at path: XenstorePath)
    /// The store has said this of a key's value, and nothing else.
    func learnedValue(_ stat: KeyStat, of node: KeyNode, at path: XenstorePath)
    /// The store has said that there is no such key.
    func missing(_ node: KeyNode)
}

/// Asks the store, and knows for how long an answer serves.
///
/// Each call of a program asks, with two exceptions for the thread that goes from one file to the
/// next faster than it could have learnt of a change: what it was given a moment ago holds for the
/// calls that follow at once, and what it will want next of a listing was read ahead in one batch,
/// and serves once. Neither does where a change of the key is known by now.
final class StoreReader<Access: XenstoreAccess> {
    /// How many files the store was asked about ahead of a program, and what became of them.
    struct ReadaheadMetrics {
        var asked = 0
        /// How many of these the program then wanted.
        var used = 0
        /// How many it may still want.
        var held = 0
        /// How many it did not want.
        var wasted: Int { max(asked - used - held, 0) }
    }

    /// The way to the store, for questions.
    let access: Access
    private let keys: KeyTable
    let changes: ChangeLog
    private let retries: CallerRetries
    private let environment: FilesystemEnvironment
    unowned var observer: (any StoreAnswerObserver)?
    /// Files that this mount is closing: the store says of them what it holds after that.
    let closing = ClosingFiles()
    private var threadStats = ThreadStatCache()
    private var readdirHints = ReaddirHints()
    private var readaheads: [ReadaheadKey: OpenDirectory] = [:]
    private var counts = ReadaheadMetrics()

    init(
        _ access: Access,
        _ keys: KeyTable,
        _ changes: ChangeLog,
        _ retries: CallerRetries,
        _ environment: FilesystemEnvironment
    ) {
        self.access = access
        self.keys = keys
        self.changes = changes
        self.retries = retries
        self.environment = environment
    }

    var metrics: ReadaheadMetrics {
        var metrics = counts
        metrics.held = readaheads.values.reduce(0) { $0 + $1.readahead.aheadCount }
        return metrics
    }

    // MARK: Asking

    /// The question about a key, of which the watch keeps true what is known already.
    func query(_ path: XenstorePath, _ node: KeyNode?, asksNames: Bool = false) -> StatQuery {
        let known = changes.isWatching ? node : nil
        return StatQuery(path, known: known, at: changes.version, asksNames: asksNames)
    }

    /// Asks for what is not known of a key, in one round trip.
    ///
    /// - Parameter node: the key where it is known; what it knows is not asked again, and what is
    ///   learnt is kept there. If this mount moves it meanwhile, the key is asked for at its new
    ///   place: another may be at the old one.
    func stat(of path: XenstorePath, node: KeyNode?) async throws(FilesystemError) -> KeyStat {
        var path = path
        while true {
            let stat = try await statNow(of: path, node)
            guard let node, !node.isAt(path), let place = try? node.path() else { return stat }
            path = place
        }
    }

    private func statNow(
        of path: XenstorePath,
        _ node: KeyNode?
    ) async throws(FilesystemError) -> KeyStat {
        if let node { await closing.wait(for: node) }
        let query = query(path, node)
        do throws(XenstoreError) {
            if query.asksValueAlone {
                let value = try await access.send(.read(path), in: .none)
                let stat = query.stat(value)
                if let node { observer?.learnedValue(stat, of: node, at: path) }
                return stat
            }
            let stat = try query.stat(await access.send(query.requests, in: .none)[...])
            if let node { observer?.learned(stat, of: node, at: path) }
            return stat
        } catch {
            throw noted(error, node, at: path)
        }
    }

    /// Takes note of what an error tells of the key.
    func noted(_ error: XenstoreError, _ node: KeyNode?, at path: XenstorePath)
        -> FilesystemError
    {
        // The answer is about the path: the key may have been moved meanwhile.
        if error == .refused(.noEntry), let node, node.isAt(path) { observer?.missing(node) }
        return FilesystemError(error, at: path)
    }

    /// The permissions of a key, as the store says now.
    func permissions(at path: XenstorePath) async throws(FilesystemError) -> Permissions {
        guard let permissions = Permissions(payload: try await ask(.getPermissions(path), at: path))
        else { throw .inputOutput }
        return permissions
    }

    /// The value of a key, as the store says now.
    func value(at path: XenstorePath) async throws(FilesystemError) -> [UInt8] {
        try await ask(.read(path), at: path)
    }

    private func ask(_ request: Request, at path: XenstorePath) async throws(FilesystemError)
        -> [UInt8]
    {
        do throws(XenstoreError) {
            return try await access.send(request, in: .none)
        } catch {
            throw FilesystemError(error, at: path)
        }
    }

    // MARK: For a thread

    /// The stat of a key for a system call of `caller`, and of the files that its readahead covers.
    func stat(
        of node: KeyNode,
        _ kind: FileKind,
        for caller: CallerID
    ) async throws(FilesystemError) -> KeyStat {
        await closing.wait(for: node)
        let path = try node.path()
        if changes.isWatching, let directory = readahead(of: caller, to: node) {
            let next = directory.readahead.next(from: node.inode(kind))
            if next.count > 1 { return try await readAhead(next, kind, of: node, path, directory) }
        }
        return try await stat(of: path, node: node)
    }

    /// The stat of a key for a system call of `caller`, where it is known.
    ///
    /// - Parameter isOpening: whether a file is opened, for which what an opening before has told
    ///   does not count.
    func statFromMemory(
        of node: KeyNode,
        _ kind: FileKind,
        for caller: CallerID,
        isOpening: Bool = false
    ) throws(FilesystemError) -> KeyStat? {
        guard !closing.contains(node) else { return nil }
        let inode = node.inode(kind)
        if let last = threadStats.take(inode, for: caller, isOpening: isOpening) {
            // The kernel has looked the name up for this very open(2).
            if isOpening, retries.isOpening(caller) { return last.stat }
            let lifetime = FilesystemLimits.threadStatLifetime
            if isTrue(last, of: try node.path(), within: lifetime) { return last.stat }
        }
        guard changes.isWatching, let directory = readahead(of: caller, to: node),
            let prefetched = directory.readahead.take(inode),
            isTrue(prefetched, of: try node.path(), within: FilesystemLimits.readaheadLifetime)
        else { return nil }
        counts.used += 1
        return prefetched.stat
    }

    /// What the store says of a key that is looked up or opened. If the kernel tries to open a file
    /// once more, what the store has said for the same open(2) serves.
    func statForOpening(
        _ path: XenstorePath,
        _ node: KeyNode?,
        by caller: CallerID
    ) async throws(FilesystemError) -> KeyStat {
        if let node, retries.isOpening(caller),
            let answer = threadStats.take(node.inode(.file), for: caller, isOpening: true)
        {
            return answer.stat
        }
        return try await stat(of: path, node: node)
    }

    /// Whether what the store said a moment ago still holds, as far as it has sent events.
    func isTrue(_ cached: CachedStat, of path: XenstorePath, within lifetime: Duration) -> Bool {
        changes.isWatching && changes.isBeforeLocalChanges(cached.stat.version)
            && environment.elapsed() - cached.given < lifetime
            && environment.takeEvents()
            && !changes.hasChanged(path, since: cached.stat.version)
    }

    /// Notes what is about to be given to a program, at once after the answer came.
    func fresh(_ stat: KeyStat) -> CachedStat {
        CachedStat(stat: stat, given: environment.elapsed())
    }

    /// Keeps what a thread was given for the calls that follow at once.
    ///
    /// - Parameter handle: what was opened by it, and holds it; without, it serves once.
    func keep(
        _ answer: CachedStat,
        of inode: InodeNumber,
        for caller: CallerID,
        by handle: HandleID?
    ) {
        threadStats.put(answer, of: inode, for: caller, handle: handle)
    }

    /// The handle is closed, and what it held is gone with it.
    func close(_ handle: HandleID) { threadStats.close(handle) }

    // MARK: Listings

    /// The names that a directory had when its parent was listed: hints, never answers.
    ///
    /// - Parameter list: each followed by a zero.
    func hint(_ list: [UInt8], of node: KeyNode) { readdirHints.put(list, of: node) }

    /// The children that a directory had a moment ago and of which the shape is not known.
    func takeHints(of node: KeyNode) -> [(name: String, path: XenstorePath)] {
        guard changes.isWatching, let names = try? access.childNames(readdirHints.take(of: node))
        else { return [] }
        return names.prefix(FilesystemLimits.hintedNames).compactMap { name in
            guard keys.child(name, of: node)?.hasChildren == nil,
                let path = try? node.path(ofChild: name)
            else { return nil }
            return (name, path)
        }
    }

    private func readahead(of caller: CallerID, to node: KeyNode) -> OpenDirectory? {
        guard !readaheads.isEmpty, let parent = node.parent else { return nil }
        return readaheads[ReadaheadKey(caller: caller, directory: parent.id)]
    }

    /// The thread is given entries of a listing.
    func begin(_ directory: OpenDirectory) {
        let place = ReadaheadKey(caller: directory.caller, directory: directory.node.id)
        readaheads[place] = directory
    }

    /// The thread has closed the directory.
    func end(_ directory: OpenDirectory) {
        let place = ReadaheadKey(caller: directory.caller, directory: directory.node.id)
        if readaheads[place] === directory { readaheads[place] = nil }
    }

    /// Asks for a file and for those that a program wants after it.
    ///
    /// - Parameter next: the files, `node` first.
    private func readAhead(
        _ next: ArraySlice<InodeNumber>,
        _ kind: FileKind,
        of node: KeyNode,
        _ path: XenstorePath,
        _ directory: OpenDirectory
    ) async throws(FilesystemError) -> KeyStat {
        var queries = [(node: node, query: query(path, node))]
        for inode in next.dropFirst() {
            // Only what is like the first: a program that looks at directories alone may never
            // look at the files.
            guard let (other, otherKind) = keys.find(inode), otherKind == kind,
                let path = try? other.path()
            else { continue }
            queries.append((other, query(path, other)))
        }
        counts.asked += queries.count - 1
        let answers = await access.stat(queries.map(\.query))
        for ((other, query), answer) in zip(queries, answers) {
            guard case .success(let stat) = answer else { continue }
            observer?.learned(stat, of: other, at: query.path)
            if other !== node { directory.readahead.put(fresh(stat), for: other.inode(kind)) }
        }
        do throws(XenstoreError) {
            return try answers[0].get()
        } catch {
            throw noted(error, node, at: path)
        }
    }
}

/// The directory that a thread goes through.
private struct ReadaheadKey: Hashable {
    let caller: CallerID
    let directory: UInt64
}
