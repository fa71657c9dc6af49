import Reactor
import XenstoreProtocol

/// The watches of a client, by the tokens that tell their events apart. It belongs to the loop's
/// thread.
final class WatchRegistry {
    private let loop: EventLoop
    private let pendingLimit: Int
    private var entries: [UInt64: WatchEntry] = [:]
    private var nextNumber: UInt64 = 1

    init(loop: EventLoop, pendingLimit: Int) {
        self.loop = loop
        self.pendingLimit = pendingLimit
    }

    /// Makes an entry; events that come before the watch is acknowledged find it.
    func add(
        _ path: XenstorePath,
        depth: UInt32?,
        label: String,
        signal: WatchSignal? = nil
    ) -> WatchEntry {
        let entry = WatchEntry(
            number: nextNumber,
            path: path,
            depth: depth,
            label: label,
            signal: signal ?? WatchSignal(loop: loop),
            pendingLimit: pendingLimit
        )
        nextNumber += 1
        entries[entry.number] = entry
        return entry
    }

    /// The watches that the store has acknowledged, in the order in which they were made.
    var armed: [WatchEntry] {
        entries.values.filter(\.isArmed).sorted { $0.number < $1.number }
    }

    /// The request that sets a watch.
    func request(for entry: WatchEntry) -> Request {
        .watch(entry.path, token: entry.token, depth: entry.omitsDepth ? nil : entry.depth)
    }

    /// - Returns: false if it has ended before.
    func remove(_ entry: WatchEntry) -> Bool {
        entries.removeValue(forKey: entry.number) != nil
    }

    /// Ends a watch; who waits for its events is told why, if there is a reason.
    func end(_ entry: WatchEntry, _ error: ClientError?) {
        guard remove(entry) else { return }
        entry.end(error)
    }

    func endAll(_ error: ClientError?) {
        for entry in Array(entries.values) { end(entry, error) }
    }

    /// Forgets what nobody has taken yet.
    func discardPending() {
        for entry in entries.values { entry.discardPending() }
    }

    /// Takes an event. One of a watch that is gone may still come, and is dropped.
    func deliver(_ event: WatchEvent) {
        let digits = event.token.prefix { $0 != UInt8(ascii: ":") }
        guard let number = UInt64(decimal: digits), let entry = entries[number] else { return }
        entry.deliver(event.path)
    }

    /// Tells everyone that anything may have changed.
    func deliverAll() {
        for entry in entries.values { entry.deliver(entry.path) }
    }
}

/// Wakes who waits for events of some watches.
final class WatchSignal {
    private let waiters: WaitList
    private var isSet = false

    init(loop: EventLoop) {
        waiters = WaitList(loop: loop)
    }

    func set() {
        isSet = true
        waiters.resumeAll()
    }

    func clear() { isSet = false }

    /// Waits until it is set, at once if it is.
    func wait(until deadline: ContinuousClock.Instant? = nil) async throws(XenstoreError) {
        while !isSet { try await waiters.wait(until: deadline) }
    }
}

/// One watch, and the paths that have changed and that nobody has taken yet, each once.
final class WatchEntry {
    let number: UInt64
    let path: XenstorePath
    let depth: UInt32?
    let label: String
    let signal: WatchSignal

    /// Whether the store has acknowledged it, so that a new connection sets it again.
    var isArmed = false
    /// Whether the store is asked without the depth, as it knows none.
    var omitsDepth = false

    private var pending: PendingPaths
    private(set) var hasEnded = false
    private(set) var failure: ClientError?

    init(
        number: UInt64,
        path: XenstorePath,
        depth: UInt32?,
        label: String,
        signal: WatchSignal,
        pendingLimit: Int
    ) {
        self.number = number
        self.path = path
        self.depth = depth
        self.label = label
        self.signal = signal
        pending = PendingPaths(limit: pendingLimit)
    }

    /// What tells the events of this watch from those of others.
    var token: [UInt8] {
        Array((label.isEmpty ? "\(number)" : "\(number):\(label)").utf8)
    }

    func deliver(_ changed: XenstorePath) {
        guard isWithinDepth(changed) else { return }
        // Who hears of the watched path itself looks at everything.
        if !pending.insert(changed) { pending.replaceAll(with: path) }
        signal.set()
    }

    /// Looked at even where the store has taken the depth: Linux' device takes it, and sets the
    /// watch without it. Below a special path stands what the store means by it.
    private func isWithinDepth(_ changed: XenstorePath) -> Bool {
        guard let depth, !path.isSpecial else { return true }
        return changed.components.count <= path.components.count + Int(depth)
    }

    /// The path that changed first of those that nobody has taken.
    func takeFirst() -> XenstorePath? { pending.takeFirst() }

    func discardPending() { pending.removeAll() }

    func end(_ error: ClientError?) {
        hasEnded = true
        failure = error
        signal.set()
    }
}
