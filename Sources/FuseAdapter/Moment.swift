import Glibc

/// A moment of a clock that is never set.
///
/// The library's own clock is one of which the compiler does not know the size: each copy of what
/// has such a moment would go by tables.
struct Moment: Comparable {
    private let nanoseconds: Int64

    static var now: Moment {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Moment(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    static func < (first: Moment, second: Moment) -> Bool {
        first.nanoseconds < second.nanoseconds
    }

    /// Nanoseconds from a moment to a later one.
    static func - (later: Moment, earlier: Moment) -> Int64 {
        later.nanoseconds - earlier.nanoseconds
    }
}
