import Reactor
import XenstoreProtocol

/// Tasks that wait for something to happen on a loop, each until it is cancelled or its deadline
/// has come. It belongs to the loop's thread.
final class WaitList {
    typealias Outcome = Result<Void, XenstoreError>

    private let loop: EventLoop
    private var waiting: [UInt64: UnsafeContinuation<Outcome, Never>] = [:]
    private var nextID: UInt64 = 0

    init(loop: EventLoop) {
        self.loop = loop
    }

    /// Waits for ``resumeAll(_:)``.
    ///
    /// - Throws: what that is given, or that the caller was cancelled or the time is over.
    func wait(until deadline: ContinuousClock.Instant? = nil) async throws(XenstoreError) {
        let id = nextID
        nextID += 1
        let timer = deadline.map { deadline in
            loop.schedule(after: deadline - .now) { [self] in
                resume(id, .failure(.timedOut))
            }
        }
        defer { if let timer { loop.cancel(timer) } }
        let canceller = LoopBound(self, to: loop)
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                waiting[id] = continuation
            }
        } onCancel: {
            // Later, never at once: the continuation may not be there yet.
            canceller.later { list in list.resume(id, .failure(.cancelled)) }
        }
        try outcome.get()
    }

    /// Frees all that wait now.
    func resumeAll(_ outcome: Outcome = .success(())) {
        guard !waiting.isEmpty else { return }
        let all = waiting
        waiting = [:]
        for id in all.keys.sorted() {
            all[id]?.resume(returning: outcome)
        }
    }

    private func resume(_ id: UInt64, _ outcome: Outcome) {
        waiting.removeValue(forKey: id)?.resume(returning: outcome)
    }
}
