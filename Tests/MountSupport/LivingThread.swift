import Glibc
import Synchronization

/// Runs system calls while no test starts a process.
///
/// A process that is being started has copies of all files that are open here, and its exec(2)
/// closes them: to a mount that is a close(2), and it may be the last one, a moment after ours.
public func whileNothingStarts<Value: Sendable>(
    _ body: @escaping @Sendable () -> Value
) async -> Value {
    await LivingThread.shared.run(body)
}

/// A thread that lives as long as the test process, and starts all of its children.
///
/// The signal that a child asks for on its parent's death (PR_SET_PDEATHSIG) follows the thread
/// that started it, and the threads of Swift's pool come and go.
final class LivingThread: Sendable {
    static let shared = LivingThread()

    private let jobs = Mutex<[@Sendable () -> Void]>([])
    /// Counts the jobs that wait. A semaphore must stay where it is.
    nonisolated(unsafe) private let count = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    private init() {
        sem_init(count, 0, 0)
        var thread = pthread_t()
        let result = pthread_create(
            &thread,
            nil,
            { _ in LivingThread.shared.work() },
            nil
        )
        precondition(result == 0, "no thread could be started: \(result)")
    }

    /// Runs `job` there.
    func run<Value: Sendable>(_ job: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            jobs.withLock { $0.append { continuation.resume(returning: job()) } }
            sem_post(count)
        }
    }

    private func work() -> Never {
        while true {
            while sem_wait(count) != 0 {}
            let job = jobs.withLock { $0.removeFirst() }
            job()
        }
    }
}
