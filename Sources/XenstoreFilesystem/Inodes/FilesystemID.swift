/// One of the filesystems that a mount is made of: the store's own, what controls the mount, and
/// that of each open transaction. The upper bits of a number of an inode or handle say whose it is.
struct FilesystemID: RawRepresentable, Hashable {
    /// Bits of a number that count within a filesystem.
    private static let ownBits: UInt64 = 40

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

    /// What all numbers of the filesystem are above. An even number.
    var base: UInt64 { rawValue << Self.ownBits }

    /// The number of its root directory.
    var root: InodeNumber { InodeNumber(rawValue: base | InodeNumber.root.rawValue) }

    // MARK: Ranges of inodes

    /// The number of a scratch file or directory that is made first; those of keys are smaller.
    var firstScratch: UInt64 { base | 1 << 39 }

    /// The number of an event stream that is made first; those of scratch files are smaller.
    var firstStream: UInt64 { base | 3 << 38 }

    /// The number of the root's ``KeyNode``, which is the smallest.
    var rootNode: UInt64 { base >> 1 }

    /// Whether a ``KeyNode`` of this number is the root of any filesystem.
    static func isRoot(node: UInt64) -> Bool { node << (64 - ownBits + 1) == 0 }
}
