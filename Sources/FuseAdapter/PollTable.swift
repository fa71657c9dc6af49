import CFuse
import XenstoreFilesystem

/// Who waits in poll(2), select(2) or epoll_wait(2) for an event stream: one place for each handle,
/// as the kernel wakes all who wait for it.
struct PollTable {
    private var waiting: [HandleID: OpaquePointer] = [:]

    /// Takes the place that came with a request, in which the last one is no longer of use.
    ///
    /// It is kept also where there is something to read: with EPOLLET the kernel asks no more
    /// before it is woken.
    mutating func set(_ poll: OpaquePointer?, for handle: HandleID) {
        guard let poll else { return }
        if let old = waiting.removeValue(forKey: handle) { xsfs_poll_end(old, false) }
        waiting[handle] = poll
    }

    /// Wakes those who wait for a handle.
    mutating func wake(_ handle: HandleID) {
        if let poll = waiting.removeValue(forKey: handle) { xsfs_poll_end(poll, true) }
    }

    /// The handle is closed.
    mutating func remove(_ handle: HandleID) {
        if let poll = waiting.removeValue(forKey: handle) { xsfs_poll_end(poll, false) }
    }

    /// The mount ends.
    mutating func removeAll() {
        for poll in waiting.values { xsfs_poll_end(poll, false) }
        waiting = [:]
    }
}
