import Testing
import XenstoreProtocol

struct RetryPolicyTests {
    @Test(arguments: [(1, 10), (2, 20), (3, 40), (4, 50), (5, 50), (98, 50)])
    func pausesGrowUpToTheBound(attempt: Int, longest: Int) throws {
        let policy = RetryPolicy(attempts: 100, pause: .milliseconds(10)...(.milliseconds(50)))
        var sum = Duration.zero
        for _ in 0..<1000 {
            let pause = try #require(policy.pause(after: attempt))
            #expect(pause >= .zero && pause <= .milliseconds(longest))
            sum += pause
        }
        // Not the same each time: on average half the longest.
        #expect(abs(sum / .milliseconds(1) - Double(longest) * 500) < Double(longest) * 100)
    }

    @Test func nothingFollowsTheLastAttempt() {
        #expect(RetryPolicy.once.pause(after: 1) == nil)
        #expect(RetryPolicy.upTo(3).pause(after: 2) != nil)
        #expect(RetryPolicy.upTo(3).pause(after: 3) == nil)
        #expect(RetryPolicy.upTo(.max).pause(after: .max - 1) != nil)
    }

    @Test func withoutAClockThereIsNoPause() {
        #expect(RetryPolicy.atOnce(3).pause(after: 2) == .zero)
        #expect(RetryPolicy.atOnce(3).pause(after: 3) == nil)
    }
}
