import XenstoreProtocol

/// The directory that a thread goes through.
struct ReadaheadKey: Hashable {
    let caller: CallerID
    let directory: UInt64
}

extension Filesystem {
    /// The stat of a key for a system call of `caller`, and of the files that its readahead covers.
    func stat(
        of node: KeyNode,
        _ kind: FileKind,
        for caller: CallerID
    ) async throws(FilesystemError) -> KeyStat {
        let path = try node.path()
        if changes.isWatching, let directory = readahead(of: caller, to: node) {
            let next = directory.readahead.next(from: node.inode(kind))
            if next.count > 1 { return try await readAhead(next, kind, of: node, path, directory) }
        }
        return try await stat(of: path, node: node)
    }

    /// The stat of a key for a system call of `caller`, where they are known.
    ///
    /// Each call asks the store, with two exceptions for the thread that goes from one file to the
    /// next faster than it could have learnt of a change: what it was told a moment ago holds for
    /// the calls that follow at once, and what it will want next of a listing was read ahead in one
    /// batch, and serves once. Neither does where a change of the key is known by now.
    ///
    /// - Parameter isOpening: whether a file is opened, for which what an opening before has told
    ///   does not count.
    func statFromMemory(
        of node: KeyNode,
        _ kind: FileKind,
        for caller: CallerID,
        isOpening: Bool = false
    ) throws(FilesystemError) -> KeyStat? {
        let inode = node.inode(kind)
        if let last = threadStats.take(inode, for: caller, isOpening: isOpening) {
            // The kernel has looked the name up for this very open(2).
            let isRetry = isOpening && retries.isOpening(caller)
            if isRetry { return last.stat }
            let isTrue = isTrue(
                last,
                of: try node.path(),
                within: FilesystemLimits.threadStatLifetime
            )
            if isTrue { return last.stat }
        }
        guard changes.isWatching, let directory = readahead(of: caller, to: node),
            let prefetched = directory.readahead.take(inode),
            isTrue(prefetched, of: try node.path(), within: FilesystemLimits.readaheadLifetime)
        else { return nil }
        readahead.used += 1
        return prefetched.stat
    }

    /// Whether what the store said a moment ago still holds, as far as it has sent events.
    func isTrue(
        _ cached: CachedStat,
        of path: XenstorePath,
        within lifetime: Duration
    ) -> Bool {
        changes.isWatching && changes.isBeforeLocalChanges(cached.stat.version)
            && environment.elapsed() - cached.given < lifetime
            && environment.takeEvents()
            && !changes.hasChanged(path, since: cached.stat.version)
    }

    /// Notes what was just told, at once after the answer came.
    func fresh(_ stat: KeyStat) -> CachedStat {
        CachedStat(stat: stat, given: environment.elapsed())
    }

    // MARK: Going through a listing

    private func readahead(of caller: CallerID, to node: KeyNode) -> OpenDirectory? {
        guard !readaheads.isEmpty, let parent = node.parent else { return nil }
        return readaheads[ReadaheadKey(caller: caller, directory: parent.id)]
    }

    /// The thread is given entries of a listing.
    func begin(_ directory: OpenDirectory) {
        let place = ReadaheadKey(caller: directory.caller, directory: directory.node.id)
        readaheads[place] = directory
    }

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
        readahead.asked += queries.count - 1
        let answers = await access.base.stat(queries.map(\.query))
        for ((other, query), answer) in zip(queries, answers) {
            guard case .success(let stat) = answer else { continue }
            cache(stat, of: other, query.path)
            if other !== node { directory.readahead.put(fresh(stat), for: other.inode(kind)) }
        }
        do throws(XenstoreError) {
            return try answers[0].get()
        } catch {
            throw noted(error, node, at: path)
        }
    }
}
