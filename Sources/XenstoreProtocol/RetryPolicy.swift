/// How often a transaction is tried, and how long a client waits in between.
public struct RetryPolicy: Hashable, Sendable {
    /// How often it is tried in all, at least once.
    public var attempts: Int
    /// The longest pause after the first conflict, doubled after each further one, up to the upper
    /// bound. The pause itself is random, so that two clients do not meet again.
    public var pause: ClosedRange<Duration>

    public init(
        attempts: Int,
        pause: ClosedRange<Duration> = .milliseconds(1)...(.milliseconds(200))
    ) {
        precondition(attempts > 0, "a transaction needs at least one attempt")
        self.attempts = attempts
        self.pause = pause
    }

    /// One attempt.
    public static let once = RetryPolicy(attempts: 1)

    /// So many attempts.
    public static func upTo(_ attempts: Int) -> RetryPolicy { RetryPolicy(attempts: attempts) }

    /// So many attempts, each at once: for who has no clock.
    package static func atOnce(_ attempts: Int) -> RetryPolicy {
        RetryPolicy(attempts: attempts, pause: .zero...(.zero))
    }

    /// Thirty-two attempts.
    public static let standard = RetryPolicy(attempts: 32)

    /// How long to wait after an attempt that met a conflict.
    ///
    /// - Parameter attempt: from 1 on.
    /// - Returns: nil if it was the last.
    package func pause(after attempt: Int) -> Duration? {
        guard attempt < attempts else { return nil }
        var longest = pause.lowerBound
        var conflicts = 1
        while conflicts < attempt, longest < pause.upperBound {
            longest = longest * 2
            conflicts += 1
        }
        return min(longest, pause.upperBound) * Double.random(in: 0...1)
    }
}
