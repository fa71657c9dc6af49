import CFuse
import Reactor
public import SystemPackage

/// What a daemon does with processes and dead mounts.
public enum DaemonProcess {
    /// Forks. To be called before any task or thread exists.
    ///
    /// - Returns: 0 in the new process, its number in the old one.
    /// - Throws: the error of fork(2).
    public static func fork() throws(Errno) -> Int32 {
        let process = xsfs_fork()
        guard process >= 0 else { throw Errno.current }
        return process
    }

    /// Starts the process that takes the mount away, should this one be killed, and frees those who
    /// use it where threads of this one are stuck in the kernel. To be called before any task or
    /// thread exists.
    ///
    /// - Parameter startsAgent: whether it is also to keep a process at work that makes the system
    ///   calls by which inotify tells of changes.
    /// - Throws: the error of fork(2) or socketpair(2).
    public static func startGuard(
        of mountpoint: String,
        startsAgent: Bool
    ) throws(Errno) -> GuardProcess {
        var socket: Int32 = -1
        let process =
            startsAgent ? xsfs_guard_start(mountpoint, &socket) : xsfs_guard_start(mountpoint, nil)
        guard process >= 0 else { throw Errno.current }
        let agent = startsAgent ? FileDescriptor(rawValue: socket) : nil
        return GuardProcess(number: process, agent: agent)
    }

    /// Takes away the mount that a dead daemon has left. To be called before any task or thread
    /// exists.
    ///
    /// - Returns: whether there was one. There may be another below it.
    /// - Throws: why the mountpoint cannot be had, or the error of umount2(2).
    public static func detachDeadMount(at mountpoint: String) throws(Errno) -> Bool {
        let result = xsfs_detach_dead_mount(mountpoint)
        guard result >= 0 else { throw Errno.current }
        return result > 0
    }
}

/// A guard that was started.
public struct GuardProcess: Sendable {
    /// The process, to be ended after the mount.
    public let number: Int32
    /// The way to the inotify agent, for ``FuseMount``.
    public let agent: FileDescriptor?
}
