import Glibc
import Synchronization
import SystemPackage

/// An open(2) on a thread of its own, which is given up after a while: a path that a client names
/// may lead into the mount that this very thread serves.
// Sendable: the state is guarded by its mutex; the rest is constant.
final class BoundedOpen: Sendable {
    private enum State {
        case underWay
        case opened(FileDescriptor?)
        case abandoned
    }

    private let state = Mutex<State>(.underWay)
    private let prepare: @Sendable () -> Void
    private let open: @Sendable () -> FileDescriptor?
    private let end: FileDescriptor

    /// - Parameters:
    ///   - prepare: waits as long as the open would, and changes nothing.
    ///   - open: is not called where that took too long.
    /// - Returns: nil where the file cannot be opened, or not in time.
    static func run(
        within limit: Duration,
        after prepare: @escaping @Sendable () -> Void,
        _ open: @escaping @Sendable () -> FileDescriptor?
    ) -> FileDescriptor? {
        guard let (readEnd, writeEnd) = try? FileDescriptor.pipe() else { return nil }
        defer { _ = Glibc.close(readEnd.rawValue) }
        let call = BoundedOpen(after: prepare, open, end: writeEnd)
        guard call.start() else {
            _ = Glibc.close(writeEnd.rawValue)
            return nil
        }
        var entry = pollfd(fd: readEnd.rawValue, events: 0, revents: 0)
        // A signal ends the wait, too: then this has failed, and the client may ask again.
        _ = poll(&entry, 1, Int32(limit / .milliseconds(1)))
        return call.state.withLock { state in
            defer { state = .abandoned }
            if case .opened(let descriptor) = state { return descriptor }
            return nil
        }
    }

    private init(
        after prepare: @escaping @Sendable () -> Void,
        _ open: @escaping @Sendable () -> FileDescriptor?,
        end: FileDescriptor
    ) {
        self.prepare = prepare
        self.open = open
        self.end = end
    }

    private func start() -> Bool {
        // Signals of the process are for the thread that serves.
        var all = sigset_t()
        var old = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                Unmanaged<BoundedOpen>.fromOpaque(context).takeRetainedValue().perform()
                return nil
            },
            context.toOpaque()
        )
        guard code == 0 else {
            context.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    private func perform() {
        // Closing wakes who waits.
        defer { _ = Glibc.close(end.rawValue) }
        prepare()
        guard !isAbandoned else { return }
        let descriptor = open()
        let isLate = state.withLock { state in
            if case .abandoned = state { return true }
            state = .opened(descriptor)
            return false
        }
        if isLate, let descriptor { _ = Glibc.close(descriptor.rawValue) }
    }

    private var isAbandoned: Bool {
        state.withLock { state in
            if case .abandoned = state { return true }
            return false
        }
    }
}
