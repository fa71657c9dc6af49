/// The bounds of a ``ChangeNotifier``.
public enum NotifierLimits {
    /// Keys that are asked for together, to find out what a change has changed.
    public static let revalidationBatch = 256

    /// How long changes coalesce before the agent makes calls, where hundreds come in a second.
    public static let coalescingDelay = Duration.milliseconds(200)

    /// Calls for changes that wait for the agent to make them; more are lost, and the log says so.
    public static let pendingCalls = 65536

    /// Calls that are passed to the agent together.
    public static let callBatch = 64

    /// Local changes whose events may still be to come, after the store's answer. Those of older
    /// ones have come: a store sends them before its next answer.
    public static let answeredLocalChanges = 1024

    /// Calls that are made before the store has said what has changed, where no more changes come
    /// together.
    public static let speculativeCalls = 8

    /// How long such a call waits at most for the store to say so.
    public static let speculation = Duration.milliseconds(20)
}
