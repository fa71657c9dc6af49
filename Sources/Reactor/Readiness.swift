import Glibc

/// What a descriptor is waited for, or is ready for: the `events` of poll(2), and of epoll(7).
public struct Readiness: OptionSet, Sendable {
    public let rawValue: Int16

    public init(rawValue: Int16) {
        self.rawValue = rawValue
    }

    public static let readable = Readiness(rawValue: Int16(POLLIN))
    public static let writable = Readiness(rawValue: Int16(POLLOUT))
    /// The peer closed, or the device failed; reported without being asked for.
    public static let failed = Readiness(rawValue: Int16(POLLERR | POLLHUP | POLLNVAL))
}

/// Names a descriptor that a loop waits for.
public struct SourceID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// Names a timer of a loop.
public struct TimerID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}
