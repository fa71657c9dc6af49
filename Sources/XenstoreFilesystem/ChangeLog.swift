import XenstoreProtocol

/// The latest changes in their order, to tell whether an answer that was on its way is out of date.
struct ChangeLog {
    private var recent: [XenstorePath] = []
    /// The number and the time of the last event at each of them that had one: a walk asks for each
    /// key that it meets.
    private var events: [XenstorePath: (number: Int, time: Timestamp)] = [:]
    /// The number of changes so far.
    private(set) var serial = 0

    mutating func append(_ path: XenstorePath, at time: Timestamp? = nil) {
        if recent.count < FilesystemLimits.changeLog {
            recent.append(path)
        } else {
            let oldest = recent[serial % FilesystemLimits.changeLog]
            if events[oldest]?.number == serial - FilesystemLimits.changeLog {
                events[oldest] = nil
            }
            recent[serial % FilesystemLimits.changeLog] = path
        }
        if let time { events[path] = (serial, time) }
        serial += 1
    }

    /// When the last event at `path` came, as far as that is remembered.
    func time(of path: XenstorePath) -> Timestamp? {
        events.isEmpty ? nil : events[path]?.time
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
