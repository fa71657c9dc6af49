/// The bounds of one connection.
public struct ConnectionConfiguration: Hashable, Sendable {
    /// Requests that are written before the first of them is answered; more wait their turn.
    ///
    /// The daemons bound unprivileged domains alone, at 20.
    public var outstandingLimit: Int

    /// The same over the kernel's device. One: C xenstored 4.17 was seen to abort (the assertion
    /// `conn->in == NULL` of `consider_message`), and a host with it, when requests followed each
    /// other closely over domain 0's ring.
    public var deviceOutstandingLimit: Int

    /// How long a store may stay silent while requests wait, before the connection is given up.
    /// It takes up to twice as long to notice. The first connection may take as long to be made.
    public var stallTimeout: Duration

    /// The first and the longest pause between attempts to connect again.
    public var reconnectDelay: ClosedRange<Duration>

    /// How long a request of a ``Xenstore`` waits for a connection to come back before it
    /// fails.
    public var reconnectPatience: Duration

    /// Paths that wait in a ``WatchStream`` that nobody reads. Beyond, they become one event of
    /// the watched path itself.
    public var pendingEventLimit: Int

    public init(
        outstandingLimit: Int = 1024,
        deviceOutstandingLimit: Int = 1,
        stallTimeout: Duration = .seconds(5),
        reconnectDelay: ClosedRange<Duration> = .milliseconds(10)...(.seconds(1)),
        reconnectPatience: Duration = .seconds(10),
        pendingEventLimit: Int = 4096
    ) {
        self.outstandingLimit = outstandingLimit
        self.deviceOutstandingLimit = deviceOutstandingLimit
        self.stallTimeout = stallTimeout
        self.reconnectDelay = reconnectDelay
        self.reconnectPatience = reconnectPatience
        self.pendingEventLimit = pendingEventLimit
    }
}
