/// One of the trees that a mount is made of: the store itself, what controls it, and each open
/// transaction. Numbers of inodes and handles say in their upper bits whose they are.
struct SpaceID: RawRepresentable, Hashable {
    /// Bits of a number that are the space's own.
    private static let ownBits: UInt64 = 40
    /// One more than the largest number of a space's own.
    static let ownLimit: UInt64 = 1 << ownBits

    let rawValue: UInt64

    /// The store.
    static let store = SpaceID(rawValue: 0)
    /// `.txn` and `.xsfs`.
    static let control = SpaceID(rawValue: 1)
    static let firstTransaction = SpaceID(rawValue: 2)
    static let last = SpaceID(rawValue: UInt64.max >> ownBits)

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    init(of inode: InodeNumber) {
        rawValue = inode.rawValue >> Self.ownBits
    }

    init(of handle: HandleID) {
        rawValue = handle.rawValue >> Self.ownBits
    }

    var next: SpaceID { SpaceID(rawValue: rawValue + 1) }

    /// The kernel's number of one of the space's own.
    func outer(_ inode: InodeNumber) -> InodeNumber {
        InodeNumber(rawValue: rawValue << Self.ownBits | inode.rawValue)
    }

    func outer(_ handle: HandleID) -> HandleID {
        HandleID(rawValue: rawValue << Self.ownBits | handle.rawValue)
    }

    func outer(_ attributes: Attributes) -> Attributes {
        var attributes = attributes
        attributes.inode = outer(attributes.inode)
        return attributes
    }

    func outer(_ entry: Entry) -> Entry {
        var entry = entry
        entry.attributes = outer(entry.attributes)
        return entry
    }

    func outer(_ listed: DirectoryEntry) -> DirectoryEntry {
        var listed = listed
        switch listed.target {
        case .entry(let entry): listed.target = .entry(outer(entry))
        case .known(let inode, let kind): listed.target = .known(outer(inode), kind)
        case .unknown: break
        }
        return listed
    }

    func outer(_ invalidation: Invalidation) -> Invalidation {
        switch invalidation {
        case .entry(let directory, let name): .entry(directory: outer(directory), name: name)
        case .inode(let inode): .inode(outer(inode))
        }
    }
}

extension InodeNumber {
    /// The number within its space.
    var own: InodeNumber { InodeNumber(rawValue: rawValue % SpaceID.ownLimit) }
}

extension HandleID {
    /// The number within its space.
    var own: HandleID { HandleID(rawValue: rawValue % SpaceID.ownLimit) }
}
