/// How far a program is with the files of a listing, and what was read ahead for it.
struct ReadaheadWindow {
    /// What was given out, in order.
    private var given: [InodeNumber] = []
    private var position = 0
    private var size: Int
    private var prefetched: [InodeNumber: CachedStat] = [:]
    /// Files that were read ahead, and those of them that the program has come to.
    private(set) var files = (asked: 0, used: 0)

    /// - Parameter size: how many files are asked for together at first.
    init(size: Int = FilesystemLimits.readaheadInitial) {
        self.size = size
    }

    /// How many files were asked for ahead that the program has not come to.
    var aheadCount: Int { prefetched.count }

    mutating func append(_ inode: InodeNumber) {
        given.append(inode)
    }

    /// What was read ahead; it serves once.
    mutating func take(_ inode: InodeNumber, _ kind: FileKind) -> CachedStat? {
        guard let stat = prefetched.removeValue(forKey: inode) else { return nil }
        if kind == .file { files.used += 1 }
        if let index = given[position...].prefix(FilesystemLimits.readaheadMax).firstIndex(
            of: inode
        ) {
            position = index + 1
        }
        return stat
    }

    mutating func put(_ stat: CachedStat, for inode: InodeNumber, _ kind: FileKind) {
        prefetched[inode] = stat
        if kind == .file { files.asked += 1 }
    }

    /// Forgets what was read ahead.
    mutating func drop() { prefetched = [:] }

    /// The files that a program which is at `inode` now will want next, with that one first. Each
    /// time it goes on, they are more.
    ///
    /// - Returns: nothing if the program does not follow the listing.
    mutating func next(from inode: InodeNumber) -> ArraySlice<InodeNumber> {
        let window = given[position...].prefix(FilesystemLimits.readaheadMax)
        guard let start = window.firstIndex(of: inode) else { return [] }
        let next = given[start...].prefix(size)
        position = next.endIndex
        size = min(size * 2, FilesystemLimits.readaheadMax)
        prefetched = [:]
        return next
    }
}
