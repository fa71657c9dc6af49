/// When a key changed, as far as this mount has seen, or what utimensat(2) has set.
///
/// Nanoseconds since the epoch. A class, as most keys do not change while the kernel knows them:
/// where there is none, a pointer is what it takes.
final class KeyTimes {
    /// Of the value: st_mtime of the file.
    var value: Int64
    /// Of the list of names: st_mtime of the directory.
    var list: Int64
    /// st_ctime of the file.
    var valueStatus: Int64
    /// st_ctime of the directory.
    var listStatus: Int64
    /// Of the last event, while it is not known what has changed.
    var lastEvent: Int64

    init(_ time: Timestamp) {
        let time = time.sinceEpoch
        (value, list, valueStatus, listStatus, lastEvent) = (time, time, time, time, time)
    }

    /// Takes over the times of another.
    func become(_ other: KeyTimes) {
        (value, list) = (other.value, other.list)
        (valueStatus, listStatus) = (other.valueStatus, other.listStatus)
    }

    /// The value has changed.
    func valueChanged(at time: Int64) {
        value = time
        valueStatus = max(valueStatus, time)
    }

    /// The list of names has changed.
    func listChanged(at time: Int64) {
        list = time
        listStatus = max(listStatus, time)
    }

    /// The permissions or the name have changed.
    func statusChanged(at time: Int64) {
        valueStatus = max(valueStatus, time)
        listStatus = max(listStatus, time)
    }
}

extension Timestamp {
    /// Nanoseconds since the epoch; the first or the last moment that can be said where it is
    /// before or after that, in 1677 and 2262.
    var sinceEpoch: Int64 {
        let (whole, isTooFar) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isOver) = whole.addingReportingOverflow(Int64(nanoseconds))
        guard !isTooFar, !isOver else { return seconds < 0 ? .min : .max }
        return sum
    }

    init(sinceEpoch nanoseconds: Int64) {
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        self.init(
            seconds: remainder < 0 ? quotient - 1 : quotient,
            nanoseconds: UInt32(remainder < 0 ? remainder + 1_000_000_000 : remainder)
        )
    }
}
