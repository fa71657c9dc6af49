import Reactor
public import XenstoreProtocol

/// The events of one watch, for `for try await`.
///
/// An event says that something at its path, or below, may have changed: look at the store to know
/// what. The first comes at once. Paths that change again before anyone takes them are told once,
/// and where too many wait they become one event of the watched path itself. After a reconnection
/// and after ``Xenstore/resume(timeout:)`` an event of the watched path comes, as anything
/// may have changed.
///
/// The watch ends when the stream and its iterators are dropped, and with ``end()``. The sequence
/// ends then, and when the client is closed or the iterating task is cancelled; it throws
/// ``ClientError`` if the store refuses to set the watch again.
public struct WatchStream: AsyncSequence, Sendable {
    /// The path that changed.
    public typealias Element = XenstorePath
    /// Why the watch could not be set again.
    public typealias Failure = ClientError

    private let subscription: WatchSubscription

    init(_ subscription: WatchSubscription) {
        self.subscription = subscription
    }

    /// What was watched, as it was given.
    public var path: XenstorePath { subscription.path }

    /// What the watch was named, for who has several.
    public var token: String { subscription.token }

    /// Ends the watch, and waits until the store has done so. Events that are on their way are
    /// dropped. The corresponding operation is UNWATCH.
    public func end() async throws(ClientError) {
        try await subscription.end()
    }

    /// Begins to take the events.
    public func makeAsyncIterator() -> Iterator { Iterator(subscription: subscription) }

    /// Takes the events. Where several iterate, each event goes to one of them.
    public struct Iterator: AsyncIteratorProtocol {
        /// The path that changed.
        public typealias Element = XenstorePath
        /// Why the watch could not be set again.
        public typealias Failure = ClientError

        fileprivate let subscription: WatchSubscription

        /// The next event; nil at the end, and for a task that is cancelled.
        public mutating func next() async throws(ClientError) -> XenstorePath? {
            try await subscription.next()
        }

        /// The next event; nil at the end, and for a task that is cancelled.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(ClientError) -> XenstorePath? {
            try await subscription.next()
        }
    }
}

/// A watch that lasts as long as somebody holds this.
final class WatchSubscription: Sendable {
    let path: XenstorePath
    let token: String
    /// Kept: its thread must live as long as somebody can wait there.
    private let client: Xenstore
    private let entry: LoopBound<WatchEntry>

    init(
        client: Xenstore,
        path: XenstorePath,
        token: String,
        entry: LoopBound<WatchEntry>
    ) {
        self.client = client
        self.path = path
        self.token = token
        self.entry = entry
    }

    deinit {
        let entry = entry
        client.later { core in core.remove(entry.value) }
    }

    func next() async throws(ClientError) -> XenstorePath? {
        let entry = entry
        return try await client.onLoop { (core) async throws(ClientError) in
            try await core.nextEvent(of: entry.value)
        }
    }

    func end() async throws(ClientError) {
        let entry = entry
        try await client.onLoop { (core) async throws(ClientError) in
            try await core.endWatch(entry.value)
        }
    }
}

extension Xenstore {
    /// Watches a path and everything below it, whether it exists or not. The corresponding
    /// operation is WATCH.
    ///
    /// - Parameters:
    ///   - path: a key, or `XenstorePath.introduceDomain` or
    ///     `XenstorePath.releaseDomain`.
    ///   - depth: how many levels below count, 0 for the path alone. Where the store does not know
    ///     depths, the client sees to it.
    ///   - token: a name for the watch; it goes to the store, which does not look at it.
    public func watch(
        _ path: some XenstorePathConvertible,
        depth: UInt32? = nil,
        token: String = ""
    ) async throws(ClientError) -> WatchStream {
        let path = try path.checked(for: .watch)
        guard !token.utf8.contains(0) else {
            throw ClientError(.watch, path: path.text, .invalidArgument("the token has a NUL"))
        }
        let entry = try await onLoop { (core) async throws(ClientError) in
            let entry = core.watches.add(path, depth: depth, label: token)
            do throws(XenstoreError) {
                try await core.set(entry)
            } catch {
                throw ClientError(core.watches.request(for: entry), error)
            }
            return LoopBound(entry, to: core.loop)
        }
        return WatchStream(
            WatchSubscription(client: self, path: path, token: token, entry: entry)
        )
    }
}
