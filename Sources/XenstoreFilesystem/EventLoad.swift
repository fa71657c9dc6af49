/// Whether events come so fast that it pays to let some gather.
struct EventLoad {
    private static let window = Duration.milliseconds(200)
    /// 300 in a second.
    private static let manyInWindow = 60

    private var start = Duration.zero
    private var count = 0
    private var isHigh = false

    mutating func noteEvent(at now: Duration) {
        turn(to: now)
        count += 1
    }

    /// Whether the last window that ended had many.
    mutating func isHigh(at now: Duration) -> Bool {
        turn(to: now)
        return isHigh || count > Self.manyInWindow
    }

    private mutating func turn(to now: Duration) {
        guard now - start >= Self.window else { return }
        // One that is long over tells nothing.
        isHigh = count > Self.manyInWindow && now - start < Self.window * 2
        start = now
        count = 0
    }
}
