import CFuse
import Glibc
import Synchronization
import XenstoreFilesystem

/// Tells the kernel to forget names, on a thread of its own: such a call waits in the kernel for
/// whoever works in that directory.
// Sendable: the queue is guarded by its mutex; the session is only passed on to libfuse, which
// lets any thread notify.
final class KernelNotifier: @unchecked Sendable {
    private struct Queue {
        var notifications: [KernelNotification] = []
        var queued: Set<KernelNotification> = []
        /// Those that are being passed.
        var taken: Set<KernelNotification> = []
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
                Unmanaged<KernelNotifier>.fromOpaque(context).takeRetainedValue().run()
                return nil
            },
            context
        )
        precondition(code == 0, "a mount needs a thread for its notices to the kernel")
    }

    deinit {
        sem_destroy(wakeUp)
        wakeUp.deallocate()
    }

    /// Passes a notification on. One that waits already is not passed twice.
    func notify(_ notification: KernelNotification) {
        let isNew = queue.withLock { queue in
            guard queue.queued.insert(notification).inserted else { return false }
            queue.notifications.append(notification)
            return true
        }
        if isNew { sem_post(wakeUp) }
    }

    /// Whether a notification waits or is being passed.
    func isNotifying(_ notification: KernelNotification) -> Bool {
        queue.withLock {
            $0.queued.contains(notification) || $0.taken.contains(notification)
        }
    }

    /// Calls back, on the notifier's thread, when all that was passed so far is done. On the loop.
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
                    queue.notifications = []
                    queue.taken = queue.queued
                    queue.queued = []
                    queue.waiters = []
                }
                return (queue.notifications, queue.waiters, queue.isClosed)
            }
            guard !isClosed else { return }
            for notification in taken {
                pass(notification)
            }
            queue.withLock { $0.taken = [] }
            for waiter in waiters { waiter() }
        }
    }

    private func pass(_ notification: KernelNotification) {
        switch notification {
        case .name(let directory, let name):
            // ENOENT says that the kernel does not know the name: then there is nothing to forget.
            // Any other error means that the mount is ending.
            _ = xsfs_session_forget_name(session, directory.rawValue, name)
        case .content(let inode):
            _ = xsfs_session_forget_content(session, inode.rawValue)
        }
    }
}
