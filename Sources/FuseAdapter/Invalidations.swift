import Logging
import Reactor
import XenstoreFilesystem

/// What the kernel is to drop: each passed on when that can be done without harm.
///
/// It belongs to its loop's thread.
final class Invalidations {
    private let session: OpaquePointer
    private let log: Logger
    private let loop: EventLoop
    private let names: KernelInvalidator
    /// Apart from names, which wait as long as a program works in a directory: a program's own
    /// change waits for these.
    private var inodes: KernelInvalidator?
    private var gate = InvalidationGate()
    /// Of contents, which only those who read them hold.
    private var inodeGate = InvalidationGate()
    /// What is to be called when `inodeGate` holds none and the kernel has taken all.
    private var afterHeld: [() -> Void] = []
    /// How many went to the kernel at once.
    private(set) var sent = 0
    /// How many were held back.
    private(set) var held = 0

    /// - Parameter log: takes each at the level debug.
    init(_ session: OpaquePointer, log: Logger, on loop: EventLoop) {
        self.session = session
        self.log = log
        self.loop = loop
        names = KernelInvalidator(session)
    }

    /// Ends the threads. The mount must have ended.
    func close() {
        names.close()
        inodes?.close()
    }

    /// Makes the kernel drop something, when it can be done without harm.
    ///
    /// - Parameter filesystem: knows the paths for the log.
    func invalidate(
        _ invalidation: Invalidation,
        _ reason: InvalidationReason,
        in filesystem: any MountOperations
    ) {
        let isSent = pass(invalidation)
        if isSent { sent += 1 } else { held += 1 }
        guard log.isDebugging else { return }
        let (what, inode) = invalidation.text
        let path = filesystem.path(of: inode)
        let outcome = isSent ? "sent" : "held while the kernel works there"
        log.debug("invalidate \(what) \(path), \(outcome): \(reason.rawValue)")
    }

    /// Passes an invalidation on, or holds it back.
    ///
    /// - Returns: whether it goes to the kernel now.
    @discardableResult
    private func pass(_ invalidation: Invalidation) -> Bool {
        switch invalidation {
        case .entry:
            guard let passed = gate.pass(invalidation) else { return false }
            names.invalidate(passed)
        case .inode:
            let inodes = inodes ?? KernelInvalidator(session)
            self.inodes = inodes
            guard let passed = inodeGate.pass(invalidation) else { return false }
            inodes.invalidate(passed)
        }
        return true
    }

    /// Whether the kernel has not taken an invalidation yet.
    func isInvalidating(_ invalidation: Invalidation) -> Bool {
        switch invalidation {
        case .entry: gate.holds(invalidation) || names.isInvalidating(invalidation)
        case .inode:
            inodeGate.holds(invalidation) || inodes?.isInvalidating(invalidation) ?? false
        }
    }

    /// Calls back when the kernel has taken all invalidations of inodes so far.
    func afterInodes(_ action: @escaping () -> Void) {
        guard let inodes else { return action() }
        guard !inodeGate.holdsAny else { return afterHeld.append(action) }
        let action = LoopBound(action, to: loop)
        inodes.afterAll { [loop] in loop.submit { action.value() } }
    }

    // MARK: Requests

    /// A request has come.
    ///
    /// - Parameters:
    ///   - directories: those that the kernel keeps locked until the answer.
    ///   - file: one of which the kernel keeps the content locked until the answer.
    func began(locking directories: [InodeNumber], reading file: InodeNumber?) {
        for directory in directories { gate.enter(directory) }
        if let file { inodeGate.enter(file) }
    }

    /// A request was answered: see ``began(locking:reading:)``.
    func ended(locking directories: [InodeNumber], reading file: InodeNumber?) {
        for directory in directories {
            for invalidation in gate.leave(directory) { pass(invalidation) }
        }
        guard let file else { return }
        for invalidation in inodeGate.leave(file) { pass(invalidation) }
        guard !inodeGate.holdsAny else { return }
        let actions = afterHeld
        afterHeld = []
        for action in actions { afterInodes(action) }
    }
}
