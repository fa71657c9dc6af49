/// The two ways in which a key is seen.
public enum FileKind: Hashable, Sendable {
    /// Its value, as a regular file.
    case file
    /// Its children, as a directory.
    case directory
}

/// What stat(2) tells of a file or directory.
public struct Attributes: Hashable, Sendable {
    public var inode: InodeNumber
    public var kind: FileKind
    /// The permission bits, without the type.
    public var mode: UInt32
    public var userID: UInt32
    public var groupID: UInt32
    /// Bytes of the file as it reads, newline included; 0 for a directory.
    public var size: Int
    /// Of the last change of the content that this mount saw, or what utimensat(2) set.
    public var modified: Timestamp
    /// Of the last change of anything.
    public var changed: Timestamp
    /// Seconds that they stay true without asking again.
    public var lifetime = 0.0
}

/// A name's answer: where it leads, and how long the kernel may keep it.
public struct Entry: Hashable, Sendable {
    public var attributes: Attributes
    /// Seconds that the name stays true without asking again.
    public var nameLifetime: Double
}

/// One name of a listing.
public struct DirectoryEntry: Hashable, Sendable {
    /// What a name leads to.
    public enum Target: Hashable, Sendable {
        case entry(Entry)
        /// What the kernel knows already, `.` and `..` among them: it takes no reference.
        case known(InodeNumber, FileKind)
        /// The store tells the name but not the key.
        case unknown
    }

    public var name: String
    public var target: Target
    /// Where the listing goes on after this name.
    public var nextOffset: Int
}

/// What setattr changes; nil leaves as is.
public struct AttributeChanges: Hashable, Sendable {
    public var mode: UInt32?
    public var userID: UInt32?
    public var groupID: UInt32?
    public var size: Int?
    /// The modification time.
    public var modified: Timestamp?

    public init(
        mode: UInt32? = nil,
        userID: UInt32? = nil,
        groupID: UInt32? = nil,
        size: Int? = nil,
        modified: Timestamp? = nil
    ) {
        self.mode = mode
        self.userID = userID
        self.groupID = groupID
        self.size = size
        self.modified = modified
    }

    /// Whether nothing else is changed, as by ftruncate(2).
    var isSizeAlone: Bool { self == AttributeChanges(size: size) }
}

/// How a file is opened.
public struct OpenFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let read = OpenFlags(rawValue: 1)
    public static let write = OpenFlags(rawValue: 2)
    public static let append = OpenFlags(rawValue: 4)
    public static let truncate = OpenFlags(rawValue: 8)
    /// Fail with EEXIST where the file exists.
    public static let exclusive = OpenFlags(rawValue: 16)
    /// Do not follow a symbolic link. There are none here, but who says so can be told by it.
    public static let noFollow = OpenFlags(rawValue: 32)
}

/// How a rename treats a name that exists.
public enum RenameMode: Hashable, Sendable {
    case replace
    /// RENAME_NOREPLACE: fail with EEXIST.
    case keep
    /// RENAME_EXCHANGE: each takes the other's place.
    case exchange
}
