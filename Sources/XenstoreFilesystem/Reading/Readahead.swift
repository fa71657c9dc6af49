import XenstoreProtocol

/// What the store is asked for ahead of programs that go through directories, by thread.
///
/// With the names of a directory the store is asked in the same round trip for what the thread will
/// want of the children, whose names are known from an earlier answer: hints, never answers. Beyond
/// that, the files of a listing are asked for in windows that grow while they are used. Each answer
/// serves one call of that thread, or a stat(2) and the open(2) after it, within
/// ``FilesystemLimits/readaheadLifetime`` and while nothing is known to have changed.
final class Readahead {
    /// How much the store was asked ahead of programs, and what became of it.
    struct Metrics {
        var asked = 0
        /// How many of these the program then wanted.
        var used = 0
        /// How many it may still want.
        var held = 0
        /// How many it did not want.
        var wasted: Int { max(asked - used - held, 0) }
    }

    /// A directory that a thread goes through.
    private struct Place: Hashable {
        let caller: CallerID
        let directory: UInt64
    }

    private var walks: [CallerID: Walk] = [:]
    private var directories: [Place: OpenDirectory] = [:]
    private var hints = ReaddirHints()
    private var counts = Metrics()
    /// Bytes of values that were read ahead since they were dropped last.
    private var bytes = 0

    var metrics: Metrics {
        var metrics = counts
        metrics.held = directories.values.reduce(0) { $0 + $1.readahead.aheadCount }
        return metrics
    }

    // MARK: What a thread does

    /// It asks for the attributes of a directory that memory does not have.
    func willStat(_ directory: KeyNode, by caller: CallerID) {
        guard walks[caller] != nil, self.directory(of: caller, to: directory) != nil else { return }
        walks[caller]?.stat(directory.id)
    }

    func willOpen(_ directory: KeyNode, by caller: CallerID) {
        walks[caller]?.open(directory.id)
    }

    /// Whether it is likely to open a directory of which it asks for the attributes.
    func opensNext(_ directory: KeyNode, by caller: CallerID) -> Bool {
        guard let walk = walks[caller], walk.opensDirectories else { return false }
        return self.directory(of: caller, to: directory) != nil
    }

    /// Whether it comes to a directory from another one.
    func isWalking(to directory: KeyNode, by caller: CallerID, at time: Duration) -> Bool {
        guard let walk = walks[caller], let listed = walk.listed else { return false }
        return time - listed < FilesystemLimits.readaheadLifetime
            || self.directory(of: caller, to: directory) != nil
    }

    /// Whether it is likely to want more of a child of the directory than the type.
    ///
    /// - Parameter hasChildren: nil where that is not known.
    func wantsStat(hasChildren: Bool?, by caller: CallerID) -> Bool {
        guard let walk = walks[caller] else { return false }
        return hasChildren == true ? walk.wantsDirectories : walk.wantsFiles
    }

    /// It is given entries of a listing.
    func begin(_ directory: OpenDirectory, at time: Duration) {
        if walks.count >= FilesystemLimits.threadStats, walks[directory.caller] == nil {
            walks = [:]
        }
        walks[directory.caller, default: Walk()].list(at: time)
        directories[Place(caller: directory.caller, directory: directory.node.id)] = directory
    }

    /// It has closed the directory.
    func end(_ directory: OpenDirectory) {
        let place = Place(caller: directory.caller, directory: directory.node.id)
        guard directories[place] === directory else { return }
        directories[place] = nil
        walks[directory.caller]?.close(directory.readahead)
    }

    /// The directory that a thread goes through and that has a key.
    private func directory(of caller: CallerID, to node: KeyNode) -> OpenDirectory? {
        guard !directories.isEmpty, let parent = node.parent else { return nil }
        return directories[Place(caller: caller, directory: parent.id)]
    }

    // MARK: Files

    /// How a listing that is about to be given out is read ahead.
    func window(for caller: CallerID) -> ReadaheadWindow {
        let isFull = walks[caller]?.wantsFiles == true
        return ReadaheadWindow(
            size: isFull ? FilesystemLimits.readaheadMax : FilesystemLimits.readaheadInitial
        )
    }

    func put(
        _ answer: CachedStat,
        for inode: InodeNumber,
        _ kind: FileKind,
        in directory: OpenDirectory
    ) {
        bytes += answer.stat.value.count
        if bytes > FilesystemLimits.readaheadBytes {
            for directory in directories.values { directory.readahead.drop() }
            bytes = answer.stat.value.count
        }
        counts.asked += 1
        directory.readahead.put(answer, for: inode, kind)
    }

    /// What was read ahead of a key; it serves once.
    func take(_ node: KeyNode, _ kind: FileKind, by caller: CallerID) -> CachedStat? {
        directory(of: caller, to: node)?.readahead.take(node.inode(kind), kind)
    }

    /// An answer that was read ahead serves its program.
    func noteUse(of node: KeyNode, _ kind: FileKind, by caller: CallerID) {
        counts.used += 1
        switch kind {
        case .file: walks[caller]?.useFile()
        case .directory: walks[caller]?.stat(node.id)
        }
    }

    /// The directory in which a thread has come to a key, and what it will want after it, with that
    /// one first; nil if it does not follow a listing.
    func next(
        from node: KeyNode,
        _ kind: FileKind,
        by caller: CallerID
    ) -> (directory: OpenDirectory, inodes: ArraySlice<InodeNumber>)? {
        guard let directory = directory(of: caller, to: node) else { return nil }
        let next = directory.readahead.next(from: node.inode(kind))
        guard !next.isEmpty else { return nil }
        if kind == .file { walks[caller]?.useFile() }
        return (directory, next)
    }

    // MARK: Listings

    /// The names that a directory had when it was asked for its shape, or listed.
    ///
    /// - Parameter list: each followed by a zero.
    func hint(_ list: [UInt8], of node: KeyNode) { hints.put(list, of: node) }

    func takeHint(of node: KeyNode) -> [UInt8] { hints.take(of: node) }

    /// Keeps a listing that was asked for with the attributes of its directory.
    func keep(_ listing: Listing, of node: KeyNode, _ answer: CachedStat, for caller: CallerID) {
        walks[caller]?.keep(listing, of: node.id, answer)
    }

    func takeListing(
        of node: KeyNode,
        by caller: CallerID
    ) -> (listing: Listing, answer: CachedStat)? {
        walks[caller]?.takeListing(of: node.id)
    }
}
