import Glibc
public import SystemPackage

/// Stream sockets of the unix domain, not blocking, closed on exec.
public enum UnixSocket {
    /// Connections that may wait to be accepted.
    private static let backlog: Int32 = 128

    /// Connects to the socket at `path`.
    ///
    /// - Parameter patience: how long it may block where too many wait to be accepted already: C
    ///   xenstored lets one wait.
    /// - Throws: the error of socket(2) or connect(2): `ENOENT` where nothing is, `ECONNREFUSED`
    ///   where nobody listens, `EAGAIN` where too many wait; `ENAMETOOLONG` for a path that does
    ///   not fit a socket's address (107 bytes).
    public static func connect(
        to path: String,
        patience: Duration = .zero
    ) throws(Errno) -> FileDescriptor {
        let descriptor = try open()
        do throws(Errno) {
            try withAddress(path) { address, length throws(Errno) in
                while Glibc.connect(descriptor.rawValue, address, length) != 0 {
                    let error = Errno.current
                    if error == .interrupted { continue }
                    guard error == .wouldBlock, patience > .zero else { throw error }
                    try connectBlocking(descriptor, address, length, patience)
                    return
                }
            }
        } catch {
            descriptor.closeIgnoringErrors()
            throw error
        }
        return descriptor
    }

    /// Connects with a call that blocks until the other side accepts, or time is over.
    private static func connectBlocking(
        _ descriptor: FileDescriptor,
        _ address: UnsafePointer<sockaddr>,
        _ length: socklen_t,
        _ patience: Duration
    ) throws(Errno) {
        let (seconds, attoseconds) = patience.components
        var limit = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        let size = socklen_t(MemoryLayout<timeval>.size)
        let flags = fcntl(descriptor.rawValue, F_GETFL)
        guard flags >= 0,
            setsockopt(descriptor.rawValue, SOL_SOCKET, SO_SNDTIMEO, &limit, size) == 0,
            fcntl(descriptor.rawValue, F_SETFL, flags & ~O_NONBLOCK) == 0
        else { throw Errno.current }
        while Glibc.connect(descriptor.rawValue, address, length) != 0 {
            guard Errno.current == .interrupted else { throw Errno.current }
        }
        guard fcntl(descriptor.rawValue, F_SETFL, flags) == 0 else { throw Errno.current }
    }

    /// Listens at `path`, for the owner alone (mode 0600). A dead socket there is replaced; a
    /// live one, or any other file, is never taken away.
    ///
    /// - Throws: `EADDRINUSE` for a live socket or another file; otherwise the error of socket(2),
    ///   bind(2) or listen(2).
    public static func listen(at path: String) throws(Errno) -> FileDescriptor {
        try removeDeadSocket(path)
        let descriptor = try open()
        do throws(Errno) {
            // The mode is set before the socket has a name, so that nobody else can get in first.
            guard fchmod(descriptor.rawValue, 0o600) == 0 else { throw Errno.current }
            try withAddress(path) { address, length throws(Errno) in
                guard bind(descriptor.rawValue, address, length) == 0 else { throw Errno.current }
            }
            guard Glibc.listen(descriptor.rawValue, backlog) == 0 else { throw Errno.current }
        } catch {
            descriptor.closeIgnoringErrors()
            throw error
        }
        return descriptor
    }

    /// Takes a connection that waits; nil where none does.
    ///
    /// - Throws: the error of accept(2), such as `EMFILE`.
    public static func accept(on listener: FileDescriptor) throws(Errno) -> FileDescriptor? {
        while true {
            let accepted = Glibc.accept(listener.rawValue, nil, nil)
            if accepted >= 0 {
                let descriptor = FileDescriptor(rawValue: accepted)
                try descriptor.setNonBlocking()
                try descriptor.setCloseOnExec()
                return descriptor
            }
            switch Errno.current {
            case .interrupted, .connectionAbort: continue
            case .wouldBlock, .resourceTemporarilyUnavailable: return nil
            case let error: throw error
            }
        }
    }

    /// Takes the name of a socket away that this process listened at.
    public static func remove(_ path: String) {
        // It may be gone, or another's by now that has the same name: nothing to tell either way.
        _ = unlink(path)
    }

    /// The name of the program at the other end of a connection: of the file that the process runs
    /// which has called listen(2), as unix(7)'s SO_PEERCRED and /proc show it.
    ///
    /// - Returns: nil where they do not: the process has ended, runs in another PID namespace, or
    ///   belongs to somebody else.
    public static func peerProgram(of connection: FileDescriptor) -> String? {
        // glibc's ucred, which it shows to who defines _GNU_SOURCE.
        var peer: (pid: pid_t, uid: uid_t, gid: gid_t) = (0, 0, 0)
        var size = socklen_t(MemoryLayout.size(ofValue: peer))
        let result = getsockopt(connection.rawValue, SOL_SOCKET, SO_PEERCRED, &peer, &size)
        guard result == 0, peer.pid > 0 else { return nil }
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/\(peer.pid)/exe", &path, path.count)
        guard length > 0 else { return nil }
        let bytes = path[..<length].map { UInt8(bitPattern: $0) }
        return FilePath(String(decoding: bytes, as: UTF8.self)).lastComponent?.string
    }

    private static func open() throws(Errno) -> FileDescriptor {
        let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        let descriptor = socket(AF_UNIX, Int32(type), 0)
        guard descriptor >= 0 else { throw Errno.current }
        return FileDescriptor(rawValue: descriptor)
    }

    private static func removeDeadSocket(_ path: String) throws(Errno) {
        do throws(Errno) {
            try connect(to: path).closeIgnoringErrors()
        } catch .noSuchFileOrDirectory {
            return
        } catch .connectionRefused {
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else {
                throw .addressInUse
            }
            guard unlink(path) == 0 else { throw Errno.current }
            return
        } catch .fileNameTooLong {
            throw .fileNameTooLong
        } catch {
            throw .addressInUse
        }
        throw .addressInUse
    }

    private static func withAddress(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Errno) -> Void
    ) throws(Errno) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard !bytes.contains(0), bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw .fileNameTooLong
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        var outcome: Result<Void, Errno> = .success(())
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                do throws(Errno) {
                    try body(address, socklen_t(MemoryLayout<sockaddr_un>.size))
                } catch {
                    outcome = .failure(error)
                }
            }
        }
        try outcome.get()
    }
}
