/// Tells when a connection may let events gather: waking the process costs more than all that it
/// does with one.
struct EventRest {
    /// Wakes without anything asked for, in the given time, that begin it.
    private static let wakes = 16
    private static let window = Duration.milliseconds(32)
    /// Events in one rest that make another worth while.
    private static let enough = 4

    private var isBusy = false
    private var wakeCount = 0
    private var windowStart: ContinuousClock.Instant?
    private var eventCount = 0

    mutating func noteEvent() {
        eventCount += 1
    }

    /// Something came, and nothing is waited for.
    ///
    /// - Returns: whether to rest now.
    mutating func begins(now: @autoclosure () -> ContinuousClock.Instant) -> Bool {
        if !isBusy {
            wakeCount += 1
            guard wakeCount >= Self.wakes else { return false }
            let now = now()
            isBusy = windowStart.map { now - $0 < Self.window } ?? false
            (wakeCount, windowStart) = (0, now)
        }
        eventCount = 0
        return isBusy
    }

    /// The rest is over, and what has come is taken.
    mutating func ended() {
        if eventCount < Self.enough { isBusy = false }
    }
}
