import Logging
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
    let readahead = Readahead()
    /// Whether the log has said that a listing is not whole.
    private var hasLeftOutNames = false

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
        if changes.isWatching, let next = readahead.next(from: node, kind, by: caller),
            next.inodes.count > 1
        {
            return try await readAhead(next.inodes, kind, of: node, path, next.directory)
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
    ) throws(FilesystemError) -> CachedStat? {
        guard !closing.contains(node) else { return nil }
        let inode = node.inode(kind)
        if let last = threadStats.take(inode, for: caller, isOpening: isOpening) {
            // The kernel has looked the name up for this very open(2).
            if isOpening, retries.isOpening(caller) { return last }
            if isTrue(last, of: try node.path()) { return last }
        }
        guard changes.isWatching, let ahead = readahead.take(node, kind, by: caller),
            isTrue(ahead, of: try node.path())
        else { return nil }
        readahead.noteUse(of: node, kind, by: caller)
        // A program that looks at a file before it opens it, as tar(1) does, asks once for both.
        if !isOpening { keep(ahead, of: inode, for: caller, by: nil) }
        return ahead
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
    func isTrue(_ cached: CachedStat, of path: XenstorePath) -> Bool {
        changes.isWatching && changes.isBeforeLocalChanges(cached.stat.version)
            && environment.elapsed() - cached.given < cached.lifetime
            && environment.takeEvents()
            && !changes.hasChanged(path, since: cached.stat.version)
    }

    /// Notes what is about to be given to a program, at once after the answer came.
    func fresh(
        _ stat: KeyStat,
        lifetime: Duration = FilesystemLimits.threadStatLifetime
    ) -> CachedStat {
        CachedStat(stat: stat, given: environment.elapsed(), lifetime: lifetime)
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

    /// The names of a key's children that can be asked about: C xenstored from 4.18 on lets the
    /// privileged domain make paths of any length.
    func withoutLongNames(_ names: [String], of path: XenstorePath) -> [String] {
        guard let long = names.first(where: { !path.hasRoom(for: $0) }) else { return names }
        if !hasLeftOutNames {
            hasLeftOutNames = true
            environment.logs.store.warning(
                """
                listings leave out keys whose paths have more than \
                \(ProtocolLimits.absolutePathSize) bytes, such as one in \(path) whose name has \
                \(long.utf8.count)
                """
            )
        }
        return names.filter(path.hasRoom(for:))
    }

    /// What to ask about a child that is listed; nil where its type is known, and the thread wants
    /// no more.
    ///
    /// - Parameter node: the child where it is known.
    func childQuery(
        _ name: String,
        _ node: KeyNode?,
        _ path: XenstorePath,
        for caller: CallerID
    ) -> ChildQuery? {
        let hasChildren = changes.isWatching ? node?.hasChildren : nil
        let needsValue =
            hasChildren != true
            && keys.kindWithoutValue(hasChildren: false, node, path) == nil
        let isAhead =
            changes.isWatching && readahead.wantsStat(hasChildren: hasChildren, by: caller)
        if needsValue || isAhead {
            return ChildQuery(statOf: name, query(path, node), at: changes.version)
        }
        guard hasChildren == nil else { return nil }
        return ChildQuery(shapeOf: name, path, at: changes.version)
    }

    /// What to ask about the children that a directory had a moment ago, together with its names.
    func childQueries(of node: KeyNode, for caller: CallerID) -> [ChildQuery] {
        guard changes.isWatching,
            let names = try? access.childNames(readahead.takeHint(of: node))
        else { return [] }
        return names.prefix(FilesystemLimits.hintedNames).compactMap { name in
            guard let path = try? node.path(ofChild: name) else { return nil }
            return childQuery(name, keys.child(name, of: node), path, for: caller)
        }
    }

    /// Takes the answers to questions about children.
    func childAnswers(
        _ queries: [ChildQuery],
        _ answers: ArraySlice<Result<[UInt8], XenstoreError>>
    ) -> [String: ChildAnswer] {
        let time = environment.elapsed()
        var children: [String: ChildAnswer] = [:]
        var rest = answers
        for query in queries {
            let count = query.requests.count
            children[query.name] = query.answer(rest.prefix(count), at: time)
            rest = rest.dropFirst(count)
        }
        return children
    }

    /// The listing that came with the attributes of a directory, while it holds.
    func takeListing(
        of node: KeyNode,
        for caller: CallerID
    ) throws(FilesystemError) -> (listing: Listing, answer: CachedStat)? {
        guard let ahead = readahead.takeListing(of: node, by: caller),
            isTrue(ahead.answer, of: try node.path())
        else { return nil }
        return ahead
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
        let answers = await access.stat(queries.map(\.query))
        for ((other, query), answer) in zip(queries, answers) {
            guard case .success(let stat) = answer else { continue }
            observer?.learned(stat, of: other, at: query.path)
            guard other !== node else { continue }
            let answer = fresh(stat, lifetime: FilesystemLimits.readaheadLifetime)
            readahead.put(answer, for: other.inode(kind), kind, in: directory)
        }
        do throws(XenstoreError) {
            return try answers[0].get()
        } catch {
            throw noted(error, node, at: path)
        }
    }
}
