/// What the filesystem needs of the world around it.
public struct FilesystemEnvironment {
    /// The system's clock.
    public var now: () -> Timestamp
    /// The time since some moment, by a clock that is never set.
    public var elapsed: () -> Duration
    /// Runs work that nobody waits for, on the thread that the filesystem belongs to.
    public var start: (@escaping () async -> Void) -> Void
    /// Tells the kernel to forget something. Must not wait for the kernel.
    public var notify: (KernelNotification) -> Void
    /// Takes an error that no system call can report any more.
    public var report: (String) -> Void
    /// Hands over the events that the store has sent by now, without waiting; false where that
    /// cannot be done at this moment.
    public var takeEvents: () -> Bool

    public init(
        now: @escaping () -> Timestamp,
        elapsed: @escaping () -> Duration,
        start: @escaping (@escaping () async -> Void) -> Void,
        notify: @escaping (KernelNotification) -> Void,
        report: @escaping (String) -> Void,
        takeEvents: @escaping () -> Bool
    ) {
        self.now = now
        self.elapsed = elapsed
        self.start = start
        self.notify = notify
        self.report = report
        self.takeEvents = takeEvents
    }
}

/// What the kernel is to forget.
public enum KernelNotification: Hashable, Sendable {
    /// That this name in this directory leads where it led.
    case name(directory: InodeNumber, name: String)
}
