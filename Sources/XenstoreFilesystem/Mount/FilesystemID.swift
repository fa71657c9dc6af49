/// One of the trees that a mount is made of: the store itself, what controls it, and each open
/// transaction. Numbers of inodes and handles say in their upper bits whose they are.
struct FilesystemID: RawRepresentable, Hashable {
    /// Bits of a number that are the filesystem's own.
    private static let ownBits: UInt64 = 40
    /// One more than the largest number of a filesystem's own.
    static let ownLimit: UInt64 = 1 << ownBits

    let rawValue: UInt64

    /// The store.
    static let store = FilesystemID(rawValue: 0)
    /// `.txn` and `.xsfs`.
    static let control = FilesystemID(rawValue: 1)
    static let firstTransaction = FilesystemID(rawValue: 2)
    static let last = FilesystemID(rawValue: UInt64.max >> ownBits)

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    init(of inode: InodeNumber) {
        rawValue = inode.rawValue >> Self.ownBits
    }

    init(of handle: HandleID) {
        rawValue = handle.rawValue >> Self.ownBits
    }

    var next: FilesystemID { FilesystemID(rawValue: rawValue + 1) }

    /// The kernel's number of one of the filesystem's own.
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
    /// The number within its filesystem.
    var own: InodeNumber { InodeNumber(rawValue: rawValue % FilesystemID.ownLimit) }
}

extension HandleID {
    /// The number within its filesystem.
    var own: HandleID { HandleID(rawValue: rawValue % FilesystemID.ownLimit) }
}
