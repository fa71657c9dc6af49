import XenstoreProtocol

/// The latest changes in their order, to tell whether an answer that was on its way is out of date.
struct ChangeLog {
    private var recent: [XenstorePath] = []
    /// When the event of each came; nil for what had none.
    private var times: [Timestamp?] = []
    /// The number of changes so far.
    private(set) var serial = 0

    mutating func append(_ path: XenstorePath, at time: Timestamp? = nil) {
        if recent.count < FilesystemLimits.changeLog {
            recent.append(path)
            times.append(time)
        } else {
            recent[serial % FilesystemLimits.changeLog] = path
            times[serial % FilesystemLimits.changeLog] = time
        }
        serial += 1
    }

    /// When the last event at `path` came, as far as that is remembered.
    func time(of path: XenstorePath) -> Timestamp? {
        zip(recent, times).compactMap { $0 == path ? $1 : nil }.max {
            $0.sinceEpoch < $1.sinceEpoch
        }
    }

    /// Whether a change at, above or below `path` came after `serial`, or may have.
    func hasChanged(_ path: XenstorePath, since serial: Int) -> Bool {
        guard self.serial > serial else { return false }
        guard self.serial - serial < recent.count else { return true }
        return (serial..<self.serial).contains { number in
            let changed = recent[number % FilesystemLimits.changeLog]
            return changed.contains(path) || path.contains(changed)
        }
    }
}
