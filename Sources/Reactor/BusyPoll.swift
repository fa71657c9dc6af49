import CAffinity
import Glibc

/// Decides whether a loop polls for some microseconds before it sleeps, from how its waits ended.
///
/// A CPU that idles takes 30 to 60 µs to wake: longer than a store or a program takes to answer.
/// Polling through such a wait makes a walk of a mount up to twice as fast. Benchmarks/README.md
/// has the figures, also of the CPU time.
///
/// A poll takes at most ``limit``. After ``patience`` polls in vain, more than those that found
/// something, there are none until waits have been short for a while; that while doubles each time
/// that the polls were in vain again. So a process at rest never polls, and one whose waits are
/// just too long for it spends some hundredths of its time so.
///
/// Durations are nanoseconds.
package struct BusyPoll {
    /// Polls in vain after which there are none, and twice as many are forgiven to those that found
    /// something.
    package static let patience = 8
    /// Short waits, one after the other, after which there are polls.
    package static let fewestShortWaits = 8
    /// The same after polls in vain time and again.
    package static let mostShortWaits = 128
    /// The same after one that was in the way of others: it may have cost a whole time slice.
    package static let shortWaitsOfOthers = 1024
    /// What the end of a sleep may take: a wait that is no longer than this and ``limit`` is short.
    package static let wakeup: Int64 = 100_000
    /// A poll that takes so much longer than it may has stood back for others that want the CPU.
    package static let preemption: Int64 = 500_000

    /// What a poll may take; 0 if there are to be none.
    package let limit: Int64
    /// Polls in vain until there are none; 0 while there are none.
    private var credit = 0
    private var shortWaits = 0
    private var neededShortWaits = Self.fewestShortWaits

    package init(limit: Int64) {
        self.limit = limit
    }

    /// Whether the next wait is to begin with a poll.
    package var isOn: Bool { credit > 0 }

    /// Takes note of a poll.
    ///
    /// - Parameters:
    ///   - duration: from its beginning until it last yielded the CPU and had it again.
    ///   - hasFound: whether it has found something.
    package mutating func ended(after duration: Int64, hasFound: Bool) {
        // What it has found meanwhile would have woken it sooner.
        if duration > limit + Self.preemption { return stop(for: Self.shortWaitsOfOthers) }
        if hasFound {
            credit = min(credit + 1, 2 * Self.patience)
            neededShortWaits = max(neededShortWaits - 1, Self.fewestShortWaits)
        } else {
            credit -= 1
            if credit == 0 { stop(for: min(2 * neededShortWaits, Self.mostShortWaits)) }
        }
    }

    /// Takes note of a sleep, from when it began until the loop could go on.
    ///
    /// - Parameter hasCPUs: whether the thread may run on more than one: else all who are waited
    ///   for need the one that it would poll on.
    package mutating func slept(for duration: Int64, hasCPUs: @autoclosure () -> Bool) {
        guard limit > 0, !isOn else { return }
        guard duration <= limit + Self.wakeup else {
            shortWaits = 0
            return
        }
        shortWaits += 1
        guard shortWaits >= neededShortWaits else { return }
        guard hasCPUs() else { return stop(for: Self.shortWaitsOfOthers) }
        credit = Self.patience
    }

    private mutating func stop(for waits: Int) {
        credit = 0
        shortWaits = 0
        neededShortWaits = waits
    }
}

// MARK: The system

extension BusyPoll {
    /// What a poll may take if nobody says: longer than most answers of C xenstored.
    private static let defaultLimit: Int64 = 50_000
    /// Beyond this, nothing is gained.
    private static let highestLimit: Int64 = 1_000_000

    /// As `$XSFS_BUSY_POLL` says: `off`, or microseconds.
    static func fromEnvironment() -> Self {
        let text = getenv("XSFS_BUSY_POLL").map { String(cString: $0) }
        return BusyPoll(limit: limit(from: text))
    }

    /// - Parameter text: what is neither `off` nor a number means the default.
    package static func limit(from text: String?) -> Int64 {
        guard let text else { return defaultLimit }
        if text == "off" { return 0 }
        guard let microseconds = Int64(text), microseconds >= 0 else { return defaultLimit }
        return min(microseconds, highestLimit / 1000) * 1000
    }

    /// Whether the calling thread may run on more than one CPU.
    static var hasCPUs: Bool {
        var set = cpu_set_t()
        let size = UInt(MemoryLayout<cpu_set_t>.size)
        // The set is too small only for machines with more than a thousand.
        guard sched_getaffinity(0, size, &set) == 0 else { return true }
        return withUnsafeBytes(of: set) { bytes in
            bytes.reduce(0) { $0 + $1.nonzeroBitCount } > 1
        }
    }

    /// A clock that never goes back.
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
