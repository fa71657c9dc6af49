import XenstoreProtocol

/// The latest changes in their order, to tell whether an answer that was on its way is out of date.
struct ChangeLog {
    private var recent: [XenstorePath] = []
    /// The number of changes so far.
    private(set) var serial = 0

    mutating func append(_ path: XenstorePath) {
        if recent.count < FilesystemLimits.changeLog {
            recent.append(path)
        } else {
            recent[serial % FilesystemLimits.changeLog] = path
        }
        serial += 1
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
