import FuseAdapter
import Glibc
import SystemPackage

/// A directory that can be mounted at.
struct Mountpoint {
    /// Absolute: a daemon leaves the directory that it was started in.
    let path: String

    /// Checks the directory, and takes away what a killed daemon has left there.
    ///
    /// - Throws: ``CommandError``.
    init(_ given: String) throws {
        path = try absolutePath(given)
        var status = stat()
        if stat(path, &status) != 0, errno == ENOTCONN {
            try DaemonProcess.detachMount(at: path)
        }
        guard stat(path, &status) == 0 else {
            throw CommandError("cannot mount at \(given): \(Errno(rawValue: errno))")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw CommandError("cannot mount at \(given): not a directory")
        }
    }
}
