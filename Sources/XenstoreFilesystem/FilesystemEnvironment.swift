/// What the filesystem needs of the world around it.
public struct FilesystemEnvironment {
    /// The system's clock.
    public var now: () -> Timestamp
    /// Runs work that nobody waits for, on the thread that the filesystem belongs to.
    public var start: (@escaping () async -> Void) -> Void
    /// Tells the kernel to forget something. Must not wait for the kernel.
    public var notify: (KernelNotification) -> Void
    /// Takes an error that no system call can report any more.
    public var report: (String) -> Void

    public init(
        now: @escaping () -> Timestamp,
        start: @escaping (@escaping () async -> Void) -> Void,
        notify: @escaping (KernelNotification) -> Void,
        report: @escaping (String) -> Void
    ) {
        self.now = now
        self.start = start
        self.notify = notify
        self.report = report
    }
}

/// What the kernel is to forget.
public enum KernelNotification: Hashable, Sendable {
    /// That this name in this directory leads where it led.
    case name(directory: InodeNumber, name: String)
}
