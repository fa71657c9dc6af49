/// What a mount has counted since it began.
public struct MountMetrics {
    /// Requests of the kernel that were answered.
    public var requests = KernelRequestMetrics()
    /// Invalidations that went to the kernel at once.
    public var invalidationsSent = 0
    /// Invalidations that waited until the kernel had let go of the directory or the file.
    public var invalidationsHeld = 0

    public init() {}
}
