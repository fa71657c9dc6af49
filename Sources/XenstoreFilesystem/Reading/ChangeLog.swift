import XenstoreProtocol

/// What has changed so far, as the store's events and this mount's own changes say, and with it
/// whether what the store once answered still holds.
///
/// Each answer carries the ``Version`` of the moment at which it was asked for. Whatever is to be
/// kept of it is held against this log first.
final class ChangeLog {
    /// How much had changed at some moment.
    struct Version: Hashable {
        /// The number of changes.
        fileprivate let changes: Int
        /// The number of local changes, begun or made.
        fileprivate let localChanges: Int

        /// Of what no answer of the store has said: nothing of it is kept.
        static let never = Version(changes: -1, localChanges: -1)
    }

    private var recent: [XenstorePath] = []
    /// The number and the time of the last event at each of them that had one: a walk asks for each
    /// key that it meets.
    private var events: [XenstorePath: (number: Int, time: Timestamp)] = [:]
    /// The number of changes so far.
    private(set) var count = 0
    private var localChangeCount = 0
    /// Whether the store sends an event of each change: without, nothing is kept.
    var isWatching = false

    /// How much has changed by now.
    var version: Version { Version(changes: count, localChanges: localChangeCount) }

    /// Takes a change.
    ///
    /// - Parameter time: when its event came; nil for a change that has none.
    func append(_ path: XenstorePath, at time: Timestamp? = nil) {
        if recent.count < FilesystemLimits.changeLog {
            recent.append(path)
        } else {
            let oldest = recent[count % FilesystemLimits.changeLog]
            if events[oldest]?.number == count - FilesystemLimits.changeLog {
                events[oldest] = nil
            }
            recent[count % FilesystemLimits.changeLog] = path
        }
        if let time { events[path] = (count, time) }
        count += 1
    }

    /// A local change begins, or has ended: what the store was asked for before may not hold after
    /// it.
    func noteLocalChange() { localChangeCount += 1 }

    /// When the last event at `path` came, as far as that is remembered.
    func time(of path: XenstorePath) -> Timestamp? {
        events.isEmpty ? nil : events[path]?.time
    }

    /// Whether a change at, above or below `path` came after `version`, or may have.
    func hasChanged(_ path: XenstorePath, since version: Version) -> Bool {
        guard count > version.changes else { return false }
        guard count - version.changes < recent.count else { return true }
        return (version.changes..<count).contains { number in
            let changed = recent[number % FilesystemLimits.changeLog]
            return changed.contains(path) || path.contains(changed)
        }
    }

    /// Whether what the store has answered about `path` may be kept: its events take it back.
    func mayKeep(_ path: XenstorePath, asOf version: Version) -> Bool {
        isWatching && !hasChanged(path, since: version)
    }

    /// Whether this mount has changed nothing since, and changes nothing now.
    func isBeforeLocalChanges(_ version: Version) -> Bool {
        version.localChanges == localChangeCount
    }
}
