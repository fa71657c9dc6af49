import ChangeNotification
import XenstoreProtocol

/// A change that this mount makes itself, from the moment at which its requests go out.
struct LocalChange {
    let requests: [Request]
    /// Their numbers among the changes that inotify hears of by itself.
    fileprivate let numbers: [Int]
}

/// The door for what this mount changes itself.
///
/// The order is that of ``Filesystem/changed(_:)``. The kernel raises inotify's events for what a
/// program does on the mount, and the streams get a line when the store's own event comes.
extension Filesystem: LocalChangeObserver {
    func begin(_ requests: [Request]) -> LocalChange {
        for path in requests.compactMap(\.changedPath) { timestamps.foresee(path) }
        guard notifier.isActive else { return LocalChange(requests: requests, numbers: []) }
        let numbers = requests.compactMap { request in
            request.changedPath.map {
                notifier.beginLocalChange($0, coversBelow: request.isRemoval)
            }
        }
        return LocalChange(requests: requests, numbers: numbers)
    }

    func end(_ change: LocalChange, isDone: Bool) {
        let requests = change.requests
        // First, as the answer to a question that is under way may be of the time before.
        for number in change.numbers { notifier.localChangeIsAnswered(number, isDone: isDone) }
        timestamps.answered(requests, isDone: isDone)
        guard isDone else { return }
        for request in requests {
            guard let path = request.changedPath else { continue }
            kernelCache.revokeOwn(path, andBelow: request.isRemoval)
        }
        // What moves takes along what is known of it.
        guard !change.numbers.isEmpty, !requests.isMove else { return }
        for request in requests {
            guard let path = request.changedPath, keys.shows(path) else { continue }
            notifier.localChange(request, at: keys.names(to: path))
        }
    }

    /// A transaction is about to be committed that a program has made its changes in.
    func beginCommit(of changes: [TransactionChanges.Change]) {
        // One event a key, or one a step.
        for change in changes {
            timestamps.foresee(change.path, count: FilesystemLimits.touchedKeys)
        }
    }

    /// A transaction has been committed. To inotify, which knows nothing of a transaction, its
    /// changes are others': the store's events tell of them.
    func endCommit(of changes: [TransactionChanges.Change]) {
        for change in changes {
            guard keys.shows(change.path), let place = keys.place(of: change.path) else { continue }
            self.changes.append(change.path)
            if change.isValue, let parent = place.parent {
                timestamps.listEvent(of: parent, child: false)
            }
            timestamps.committed(change.path, isValue: change.isValue)
            kernelCache.revokeOwn(change.path, andBelow: change.isRemoved)
            for node in place.directories { node.hasChildren = nil }
            guard let key = place.key else { continue }
            for node in change.isRemoved ? keys.subtree(of: key) : [key] { node.dropStat() }
            if change.isRemoved { keys.dropMemory(below: key) }
        }
    }
}

extension [Request] {
    /// Whether keys go from one place to another. What else removes a key makes none.
    var isMove: Bool {
        count > 1 && contains(where: \.isRemoval) && !allSatisfy(\.isRemoval)
    }
}

extension Request {
    var isRemoval: Bool {
        if case .remove = self { return true }
        return false
    }
}
