/// The kernel's number for a file or directory of the mount; never used again for another.
public struct InodeNumber: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The root directory (`FUSE_ROOT_ID`).
    public static let root = InodeNumber(rawValue: 1)
}

/// Names an open file or directory.
public struct HandleID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// The thread that makes a system call.
public struct CallerID: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int32

    /// None that can be seen from here: the kernel gives 0 for those of another PID namespace.
    public static let nobody = CallerID(rawValue: 0)

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }
}

/// A time of the system's clock.
public struct Timestamp: Hashable, Sendable {
    /// Since the epoch.
    public let seconds: Int64
    public let nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}
