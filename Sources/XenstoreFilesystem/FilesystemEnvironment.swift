public import ChangeNotification
public import Logging

/// What the filesystem needs of the world around it.
public struct FilesystemEnvironment {
    /// The system's clock.
    public var now: () -> Timestamp
    /// The time since some moment, by a clock that is never set.
    public var elapsed: () -> Duration
    /// Runs work that nobody waits for, on the thread that the filesystem belongs to.
    public var start: (@escaping () async -> Void) -> Void
    /// Runs work when what has come from the store so far was looked at.
    public var later: (@escaping () -> Void) -> Void
    /// Runs work after a while.
    public var after: (Duration, @escaping () -> Void) -> Void
    /// Makes the kernel drop something. Must not wait for the kernel.
    public var invalidate: (Invalidation, InvalidationReason) -> Void
    /// Whether the kernel has not taken such an invalidation yet.
    public var isInvalidating: (Invalidation) -> Bool = { _ in false }
    /// Calls back when the kernel has taken all invalidations of inodes so far.
    public var afterInvalidations: (@escaping () -> Void) -> Void
    /// Calls back when all requests that the kernel has sent so far were taken.
    public var afterRequests: (@escaping () -> Void) -> Void
    /// Takes an error that no system call can report any more.
    public var report: (String) -> Void
    /// What the filesystem does, as it does it.
    public var logs = FilesystemLogs()
    /// The log of the process, for `.xsfs/log`.
    public var logTail = LogTail()
    /// Requests of the kernel that wait, for `.xsfs/status`.
    public var pendingRequests: () -> [PendingRequest] = { [] }
    /// What the mount has counted, for `.xsfs/status`.
    public var mountMetrics: () -> MountMetrics = { MountMetrics() }
    /// Who a thread is that waits for an answer.
    public var describe: (CallerID) -> CallerDescription = { _ in CallerDescription() }
    /// What the kernel offers; nil where there is none, or it has not begun.
    public var kernel: () -> KernelSupport? = { nil }
    /// Takes a name that a listing leaves out, as the kernel does not take it.
    public var leftOut: (_ name: String, _ directory: String) -> Void = { _, _ in }
    /// Which store it is, for who asks.
    public var store = StoreDescription(address: "", transport: "")
    /// Whether something is mounted at a path of the mount, or below it. The path begins without a
    /// slash.
    public var holdsMount: (String) -> Bool = { _ in false }
    /// Hands over the events that the store has sent by now, without waiting; false where that
    /// cannot be done at this moment.
    public var takeEvents: () -> Bool
    /// Leaves events to come with the store for a while, unless it is asked for something.
    public var deferReading: (Duration) -> Void
    /// Has the inotify agent make calls on the mount, so that the kernel raises the events of
    /// changes by others: one batch at a time. Nil if no events are to be raised.
    public var inject: (([InotifyCall]) -> Void)?
    /// Told when there is something to read from a handle of a stream.
    public var readable: (HandleID) -> Void
    /// Whether a thread's process may watch files.
    public var mayWatch: (CallerID) -> Bool
    /// Whether a thread may use the files that another has opened: it is of the same process, or of
    /// one that this process has started.
    public var sharesFiles: (_ caller: CallerID, _ opener: CallerID) -> Bool

    public init(
        now: @escaping () -> Timestamp,
        elapsed: @escaping () -> Duration,
        start: @escaping (@escaping () async -> Void) -> Void,
        later: @escaping (@escaping () -> Void) -> Void,
        after: @escaping (Duration, @escaping () -> Void) -> Void = { $1() },
        invalidate: @escaping (Invalidation, InvalidationReason) -> Void,
        afterInvalidations: @escaping (@escaping () -> Void) -> Void = { $0() },
        afterRequests: @escaping (@escaping () -> Void) -> Void = { $0() },
        report: @escaping (String) -> Void,
        takeEvents: @escaping () -> Bool,
        deferReading: @escaping (Duration) -> Void = { _ in },
        inject: (([InotifyCall]) -> Void)? = nil,
        readable: @escaping (HandleID) -> Void = { _ in },
        mayWatch: @escaping (CallerID) -> Bool = { _ in false },
        sharesFiles: @escaping (CallerID, CallerID) -> Bool = { $0 == $1 }
    ) {
        self.now = now
        self.elapsed = elapsed
        self.start = start
        self.later = later
        self.after = after
        self.invalidate = invalidate
        self.afterInvalidations = afterInvalidations
        self.afterRequests = afterRequests
        self.report = report
        self.takeEvents = takeEvents
        self.deferReading = deferReading
        self.inject = inject
        self.readable = readable
        self.mayWatch = mayWatch
        self.sharesFiles = sharesFiles
    }
}

/// The loggers of the filesystem's areas. Silent where none are given.
public struct FilesystemLogs {
    /// Requests to the store: debug.
    public var store: Logger
    /// Why inotify is called for a change, or is not: debug.
    public var inotify: Logger
    /// What the kernel is to forget and why, and leases: debug.
    public var cache: Logger
    /// Whether values are logged, and not their lengths alone.
    public var showsValues: Bool

    public init(
        store: Logger = Logger(label: "xsfs") { _ in SwiftLogNoOpLogHandler() },
        inotify: Logger = Logger(label: "xsfs") { _ in SwiftLogNoOpLogHandler() },
        cache: Logger = Logger(label: "xsfs") { _ in SwiftLogNoOpLogHandler() },
        showsValues: Bool = false
    ) {
        self.store = store
        self.inotify = inotify
        self.cache = cache
        self.showsValues = showsValues
    }

    /// A value as the log shows it.
    func text(of value: some Sequence<UInt8>) -> String {
        LoggedBytes.text(of: value, showsValue: showsValues)
    }
}

/// What the kernel is to drop.
public enum Invalidation: Hashable, Sendable {
    /// That this name in this directory leads where it led.
    case entry(directory: InodeNumber, name: String)
    /// The attributes, the content or the listing that it keeps.
    case inode(InodeNumber)
}

/// Which store is mounted, and by what way it is reached.
public struct StoreDescription: Hashable, Sendable {
    /// The path of a socket or device; empty for a store in this process.
    public var address: String
    /// `socket`, `device` or `embedded`.
    public var transport: String

    public init(address: String, transport: String) {
        self.address = address
        self.transport = transport
    }
}
