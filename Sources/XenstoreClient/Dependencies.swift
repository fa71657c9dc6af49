import Reactor
import XenstoreProtocol

/// What a condition has read, each with a watch, so that it is evaluated again when that changes.
final class Dependencies: Sendable {
    private final class Content {
        let signal: WatchSignal
        var watched: [XenstorePath: WatchEntry] = [:]
        /// What the evaluation that is under way has read.
        var used: Set<XenstorePath> = []

        init(signal: WatchSignal) {
            self.signal = signal
        }
    }

    private let client: Xenstore
    private let content: LoopBound<Content>
    private let deadline: ContinuousClock.Instant?

    init(_ client: Xenstore, until deadline: ContinuousClock.Instant?) async {
        self.client = client
        self.deadline = deadline
        content = await client.onLoop { core in
            LoopBound(Content(signal: WatchSignal(loop: core.loop)), to: core.loop)
        }
    }

    deinit {
        let content = content
        client.later { core in
            for entry in content.value.watched.values { core.remove(entry) }
        }
    }

    /// Notes that the condition is about to read paths. What it reads then is as new as the watch,
    /// or an event follows.
    func note(
        _ paths: [XenstorePath],
        until deadline: ContinuousClock.Instant?
    ) async throws(XenstoreError) {
        let content = content
        try await client.onLoop { (core) async throws(XenstoreError) in
            let content = content.value
            content.used.formUnion(paths)
            for path in Set(paths) where content.watched[path] == nil {
                let entry = core.watches.add(
                    path,
                    depth: nil,
                    label: "",
                    signal: content.signal
                )
                content.watched[path] = entry
                do throws(XenstoreError) {
                    try await core.set(entry, until: deadline)
                } catch {
                    content.watched[path] = nil
                    throw error
                }
            }
        }
    }

    /// Begins an evaluation: what has changed before counts no more.
    func begin() async {
        let content = content
        await client.onLoop { _ in
            content.value.signal.clear()
            content.value.used = []
        }
    }

    /// Waits for a change of what the evaluation has read.
    ///
    /// - Returns: false if it has read nothing, so that no change can come.
    func change() async throws(ClientError) -> Bool {
        let (content, deadline) = (content, deadline)
        return try await client.onLoop { (core) async throws(ClientError) in
            let content = content.value
            for (path, entry) in content.watched where !content.used.contains(path) {
                core.remove(entry)
                content.watched[path] = nil
            }
            guard !content.watched.isEmpty else { return false }
            do throws(XenstoreError) {
                try await content.signal.wait(until: deadline)
            } catch {
                throw ClientError(.watch, error == .timedOut ? .timedOut : .cancelled)
            }
            for entry in content.watched.values where entry.hasEnded {
                throw entry.failure ?? ClientError(.watch, path: entry.path.text, .disconnected)
            }
            return true
        }
    }
}
