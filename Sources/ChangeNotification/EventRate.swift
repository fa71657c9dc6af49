/// Whether events come so fast that it pays to let some gather.
struct EventRate {
    private static let window = Duration.milliseconds(200)
    /// 300 in a second.
    private static let manyInWindow = 60
    /// 5000 in a second.
    private static let floodInWindow = 1000

    private var start = Duration.zero
    private var count = 0
    private var isHigh = false
    private var wasFlood = false

    mutating func noteEvent(at now: Duration) {
        turn(to: now)
        count += 1
    }

    /// Whether the last window that ended had many.
    mutating func isHigh(at now: Duration) -> Bool {
        turn(to: now)
        return isHigh || count > Self.manyInWindow
    }

    /// Whether many come, and no flood, whose events gather by themselves.
    mutating func isSteady(at now: Duration) -> Bool {
        isHigh(at: now) && !wasFlood && count <= Self.floodInWindow
    }

    private mutating func turn(to now: Duration) {
        guard now - start >= Self.window else { return }
        // One that is long over tells nothing.
        let isRecent = now - start < Self.window * 2
        isHigh = isRecent && count > Self.manyInWindow
        wasFlood = isRecent && count > Self.floodInWindow
        start = now
        count = 0
    }
}
