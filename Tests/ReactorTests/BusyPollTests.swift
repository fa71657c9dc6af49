import Glibc
import Reactor
import SystemPackage
import Testing

/// When a loop polls before it sleeps. Durations are nanoseconds.
struct BusyPollTests {
    private static let limit: Int64 = 50_000
    private static let short: Int64 = 70_000
    private static let long: Int64 = 1_000_000

    private var poll = BusyPoll(limit: limit)

    /// Sleeps until it polls.
    ///
    /// - Returns: how many sleeps that took; nil where more than so many would be needed.
    private mutating func sleepsUntilOn(
        each duration: Int64 = short,
        atMost limit: Int = 5000
    ) -> Int? {
        for count in 0..<limit {
            if poll.isOn { return count }
            poll.slept(for: duration, hasCPUs: true)
        }
        return nil
    }

    private mutating func found() { poll.ended(after: 10_000, hasFound: true) }
    private mutating func foundNothing() { poll.ended(after: Self.limit, hasFound: false) }

    @Test mutating func shortSleepsOneAfterTheOtherBeginIt() {
        #expect(!poll.isOn)
        #expect(sleepsUntilOn() == BusyPoll.fewestShortWaits)
    }

    @Test mutating func aLongSleepAmongThemDoesNot() {
        for _ in 0..<1000 {
            for _ in 1..<BusyPoll.fewestShortWaits { poll.slept(for: Self.short, hasCPUs: true) }
            #expect(!poll.isOn)
            poll.slept(for: Self.long, hasCPUs: true)
        }
        #expect(sleepsUntilOn(each: Self.long) == nil)
    }

    @Test mutating func aFewInVainEndIt() {
        _ = sleepsUntilOn()
        for _ in 0..<BusyPoll.patience {
            #expect(poll.isOn)
            foundNothing()
        }
        #expect(!poll.isOn)
    }

    @Test mutating func thoseThatFoundSomethingForgiveAsManyInVain() {
        _ = sleepsUntilOn()
        for _ in 0..<1000 {
            foundNothing()
            found()
        }
        #expect(poll.isOn)
    }

    /// Sleeps that are short each time, and polls that are in vain each time.
    @Test mutating func whoIsWrongAgainWaitsTwiceAsLong() {
        var sleeps: [Int?] = []
        for _ in 0..<7 {
            sleeps.append(sleepsUntilOn())
            for _ in 0..<BusyPoll.patience { foundNothing() }
        }
        #expect(sleeps == [8, 16, 32, 64, 128, 128, 128])
        // It was right, after all.
        _ = sleepsUntilOn()
        for _ in 0..<1000 { found() }
        for _ in 0..<1000 where poll.isOn { foundNothing() }
        #expect(sleepsUntilOn() == 2 * BusyPoll.fewestShortWaits)
    }

    /// Whatever it has found when it had the CPU again.
    @Test(arguments: [false, true])
    mutating func whoWasInTheWayOfOthersStopsAtOnceAndForLong(hasFound: Bool) {
        _ = sleepsUntilOn()
        found()
        poll.ended(after: Self.limit + BusyPoll.preemption + 1, hasFound: hasFound)
        #expect(!poll.isOn)
        #expect(sleepsUntilOn() == BusyPoll.shortWaitsOfOthers)
    }

    @Test mutating func oneCPUIsNotPolledOn() {
        for _ in 0..<5000 {
            poll.slept(for: Self.short, hasCPUs: false)
            #expect(!poll.isOn)
        }
    }

    @Test mutating func withoutALimitItIsNever() {
        poll = BusyPoll(limit: 0)
        #expect(sleepsUntilOn(each: 1) == nil)
    }

    private static let texts: [(String?, Int64)] = [
        (nil, 50_000), ("off", 0), ("0", 0), ("20", 20_000), ("9000000000000000000", 1_000_000),
        ("on", 50_000), ("-1", 50_000), ("", 50_000),
    ]

    @Test(arguments: texts)
    func whatTheEnvironmentSays(text: String?, limit: Int64) {
        #expect(BusyPoll.limit(from: text) == limit)
    }
}

/// What a loop takes of a CPU, by the clock of its thread.
@Suite(.timeLimit(.minutes(1)))
struct RestingLoopTests {
    /// The CPU time of the calling thread, and how often it went to sleep.
    private func usage() -> (nanoseconds: Int64, sleeps: Int) {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        var usage = rusage()
        // RUSAGE_THREAD
        getrusage(1, &usage)
        return (Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec), usage.ru_nvcsw)
    }

    @Test func itSleepsOnceForAWaitHoweverBusyItWas() async throws {
        let loop = try EventLoop.startThread()
        defer { loop.stop() }
        // Answers come as fast as two threads can pass them on.
        for _ in 0..<5000 { await withTaskExecutorPreference(loop) {} }
        let content = LoopBound((), to: loop)
        let usage: [(nanoseconds: Int64, sleeps: Int)] = await withCheckedContinuation { done in
            content.later { _ in
                // By the second timer the polls of the wait before are over.
                _ = loop.schedule(after: .milliseconds(20)) {
                    let before = self.usage()
                    _ = loop.schedule(after: .milliseconds(500)) {
                        done.resume(returning: [before, self.usage()])
                    }
                }
            }
        }
        // The wait may begin with a poll.
        #expect(usage[1].nanoseconds - usage[0].nanoseconds < 2_000_000)
        #expect(usage[1].sleeps - usage[0].sleeps <= 3)
    }
}
