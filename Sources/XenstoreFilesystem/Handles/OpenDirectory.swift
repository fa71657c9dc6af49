import XenstoreProtocol

/// An open directory: one consistent listing, and a program that goes through it.
final class OpenDirectory {
    let node: KeyNode
    let caller: CallerID
    /// Nil where the kernel has the names already.
    var listing: Listing?
    /// Whether the kernel had them.
    private let isKept: Bool
    /// On which the kernel keeps what it reads; nil where it does not.
    var lease: ListingLease?
    /// What the store said at the opening, until the program reads from the start.
    var firstAnswer: CachedStat?
    var readahead = ReadaheadWindow()

    init(node: KeyNode, caller: CallerID, listing: Listing?) {
        self.node = node
        self.caller = caller
        self.listing = listing
        isKept = listing == nil
    }

    var caching: Caching {
        guard lease != nil else { return .none }
        return isKept ? .kept : .fresh
    }
}

/// What a directory held at one moment.
struct Listing {
    /// The names of the children, and `.value` where there is one.
    var names: [String]
    /// The directory itself.
    let stat: KeyStat
    /// The answers to DIRECTORY of children that were asked for in the same round trip.
    let children: [String: Result<[UInt8], XenstoreError>]
}

/// How far a program is with the files of a listing, and what was read ahead for it.
struct ReadaheadWindow {
    /// What was given out, in order.
    private var given: [InodeNumber] = []
    private var position = 0
    private var size = FilesystemLimits.readaheadInitial
    private var prefetched: [InodeNumber: CachedStat] = [:]

    /// How many files were asked for ahead that the program has not come to.
    var aheadCount: Int { prefetched.count }

    mutating func append(_ inode: InodeNumber) {
        given.append(inode)
    }

    /// What was read ahead; it serves once.
    mutating func take(_ inode: InodeNumber) -> CachedStat? {
        prefetched.removeValue(forKey: inode)
    }

    mutating func put(_ stat: CachedStat, for inode: InodeNumber) {
        prefetched[inode] = stat
    }

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
