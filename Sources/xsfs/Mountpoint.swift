import FuseAdapter
import Glibc
import SystemPackage
import XenstoreClient

/// A directory that can be mounted at.
struct Mountpoint {
    /// What a mount there would hide from the daemon itself, and from everybody.
    private static let needed = ["/dev", "/etc", "/proc"]

    /// Dead mounts on top of each other that are taken away. A directory inside of one that is
    /// mounted elsewhere stays dead.
    private static let mostDeadMounts = 1000

    /// Absolute, without symbolic links, `.` and `..`: no walk along it enters what is mounted
    /// there. The daemon could not answer itself.
    let path: String

    /// Finds the directory, and takes away what killed daemons have left there.
    ///
    /// - Parameter stacks: whether it may be one where an xsfs is mounted already.
    /// - Throws: ``CommandError``.
    init(_ given: String, stacks: Bool) throws {
        func failure(_ reason: String) -> CommandError {
            CommandError("cannot mount at \(given): \(reason)")
        }
        do throws(Errno) {
            path = try Self.resolve(given)
        } catch {
            throw failure("\(error)")
        }
        var status = stat()
        guard stat(path, &status) == 0 else { throw failure("\(Errno(rawValue: errno))") }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw failure("not a directory") }
        if let hidden = Self.needed.first(where: hides) {
            throw failure("it would hide \(hidden)")
        }
        guard stacks || !MountTable.isXsfs(at: path) else {
            throw failure("an xsfs is mounted there already; -o nonempty mounts on top of it")
        }
    }

    private static func resolve(_ given: String) throws(Errno) -> String {
        var path: String
        do throws(Errno) {
            path = try realPath(given)
        } catch {
            // Only words are left to find it by.
            guard isOfDeadMount(error), let absolute = try? absolutePath(given) else { throw error }
            path = plainPath(absolute)
        }
        // A program's working directory in a dead mount has no path any more when that is gone.
        for _ in 0..<mostDeadMounts where try !detachDeadMount(at: path) {
            return try realPath(path)
        }
        throw .socketNotConnected
    }

    /// Takes the topmost mount away, if it is dead.
    private static func detachDeadMount(at path: String) throws(Errno) -> Bool {
        do throws(Errno) {
            return try DaemonProcess.detachDeadMount(at: path)
        } catch .notDirectory {
            // The check that follows says so.
            return false
        } catch .invalidArgument {
            // The guard of the dead daemon was faster.
            return true
        }
    }

    private static func isOfDeadMount(_ error: Errno) -> Bool {
        [.socketNotConnected, .connectionAbort].contains(error)
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
