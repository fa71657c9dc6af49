/// The log of the process, as a mount shows it in `.xsfs/log`.
public struct LogTail {
    /// The lines that were logged last, the oldest first.
    public var recent: () -> [String]
    /// Begins to hand each line that is logged to ``MountedFilesystem/logged(_:)``, or ends that.
    public var follow: (Bool) -> Void

    public init(
        recent: @escaping () -> [String] = { [] },
        follow: @escaping (Bool) -> Void = { _ in }
    ) {
        self.recent = recent
        self.follow = follow
    }
}
