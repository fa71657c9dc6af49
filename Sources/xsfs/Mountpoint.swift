import FuseAdapter
import Glibc
import SystemPackage
import XenstoreClient

/// A directory that can be mounted at.
struct Mountpoint {
    /// What a mount there would hide from the daemon itself, and from everybody.
    private static let needed = ["/dev", "/etc", "/proc"]

    /// Absolute, without symbolic links, `.` and `..`: no walk along it enters what is mounted
    /// there. The daemon could not answer itself.
    let path: String

    /// Finds the directory, and takes away what a killed daemon has left there.
    ///
    /// - Throws: ``CommandError``.
    init(_ given: String) throws {
        path = try Self.resolve(given)
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw CommandError("cannot mount at \(given): \(Errno(rawValue: errno))")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw CommandError("cannot mount at \(given): not a directory")
        }
        if let hidden = Self.needed.first(where: hides) {
            throw CommandError("cannot mount at \(given): it would hide \(hidden)")
        }
    }

    private static func resolve(_ given: String) throws -> String {
        do throws(Errno) {
            return try realPath(given)
        } catch .socketNotConnected, .connectionAbort {
            // A dead mount. Only words are left to find it by.
            let path = plainPath(try absolutePath(given))
            try DaemonProcess.detachMount(at: path)
            return try resolve(given)
        } catch {
            throw CommandError("cannot mount at \(given): \(error)")
        }
    }

    /// Refuses to hide what the daemon goes to by its path while it serves.
    ///
    /// - Throws: ``CommandError``.
    func check(_ source: StoreSource) throws {
        let place: String? =
            switch source {
            case .remote(let address): address.path
            case .embedded(_, let listen, _): listen
            }
        guard let place, hides(try Self.placeOf(place)) else { return }
        throw CommandError("cannot mount at \(path): it would hide \(place)")
    }

    /// Where a file is that need not be there.
    private static func placeOf(_ path: String) throws -> String {
        let plain = try absolutePath(path)
        if let real = try? realPath(plain) { return real }
        guard let slash = plain.lastIndex(of: "/"),
            let directory = try? realPath(String(plain[...slash]))
        else { return plainPath(plain) }
        return plainPath(directory + plain[slash...])
    }

    private func hides(_ other: String) -> Bool {
        path == "/" || other == path || other.hasPrefix(path + "/")
    }
}
