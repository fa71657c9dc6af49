import CFuse
import Glibc
import Synchronization
import XenstoreFilesystem

/// Makes the kernel drop what it keeps, on a thread of its own: such a call waits in the kernel as
/// long as a program works in that directory.
// Sendable: the queue is guarded by its mutex; the session is only passed on to libfuse, which lets
// any thread invalidate.
final class KernelInvalidator: @unchecked Sendable {
    private struct Queue {
        var invalidations: [Invalidation] = []
        var queued: Set<Invalidation> = []
        /// Those that are being passed.
        var taken: Set<Invalidation> = []
        var waiters: [@Sendable () -> Void] = []
        var isClosed = false
    }

    private let session: OpaquePointer
    private let queue = Mutex(Queue())
    private let wakeUp: UnsafeMutablePointer<sem_t>
    private var thread = pthread_t()

    init(_ session: OpaquePointer) {
        self.session = session
        wakeUp = .allocate(capacity: 1)
        sem_init(wakeUp, 0, 0)
        let context = Unmanaged.passRetained(self).toOpaque()
        let code = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<KernelInvalidator>.fromOpaque(context).takeRetainedValue().run()
                return nil
            },
            context
        )
        precondition(code == 0, "a mount needs a thread for its invalidations")
    }

    deinit {
        sem_destroy(wakeUp)
        wakeUp.deallocate()
    }

    /// Passes an invalidation on. One that waits already is not passed twice.
    func invalidate(_ invalidation: Invalidation) {
        let isNew = queue.withLock { queue in
            guard queue.queued.insert(invalidation).inserted else { return false }
            queue.invalidations.append(invalidation)
            return true
        }
        if isNew { sem_post(wakeUp) }
    }

    /// Whether an invalidation waits or is being passed.
    func isInvalidating(_ invalidation: Invalidation) -> Bool {
        queue.withLock {
            $0.queued.contains(invalidation) || $0.taken.contains(invalidation)
        }
    }

    /// Calls back, on that thread, when all that was passed so far is done. On the loop.
    func afterAll(_ action: @escaping @Sendable () -> Void) {
        queue.withLock { $0.waiters.append(action) }
        sem_post(wakeUp)
    }

    /// Ends the thread, after what it is doing. The mount must have ended, so that nothing in the
    /// kernel keeps it.
    func close() {
        queue.withLock { $0.isClosed = true }
        sem_post(wakeUp)
        pthread_join(thread, nil)
    }

    private func run() {
        while true {
            while sem_wait(wakeUp) != 0 {}
            let (taken, waiters, isClosed) = queue.withLock { queue in
                defer {
                    queue.invalidations = []
                    queue.taken = queue.queued
                    queue.queued = []
                    queue.waiters = []
                }
                return (queue.invalidations, queue.waiters, queue.isClosed)
            }
            guard !isClosed else { return }
            for invalidation in taken {
                pass(invalidation)
            }
            queue.withLock { $0.taken = [] }
            for waiter in waiters { waiter() }
        }
    }

    private func pass(_ invalidation: Invalidation) {
        switch invalidation {
        case .entry(let directory, let name):
            // ENOENT says that the kernel does not know the name: then there is nothing to drop.
            // Any other error means that the mount is ending.
            _ = xsfs_session_inval_entry(session, directory.rawValue, name)
        case .inode(let inode):
            _ = xsfs_session_inval_inode(session, inode.rawValue)
        }
    }
}
