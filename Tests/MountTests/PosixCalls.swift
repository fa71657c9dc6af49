import Glibc
import MountCalls
import MountSupport

/// One line of a table of system calls: what must come of it, the call, and its arguments.
///
/// `ENOTDIR mkdir f/x 0755`: the errno. `0 mkdir d 0755`: success. `0644 mode f`: what stat(2)
/// tells. A path is relative to the directory that the table is run in; `"` is the empty path, `*`
/// and a number a name of so many letters.
struct PosixLine: Sendable, CustomStringConvertible {
    let text: String
    let expected: String
    private let call: String
    private let arguments: [String]

    init?(_ line: Substring) {
        let words = line.split(separator: " ").map(String.init)
        guard words.count > 1, words[0] != "#" else { return nil }
        text = String(line)
        (expected, call, arguments) = (words[0], words[1], Array(words.dropFirst(2)))
    }

    var description: String { text }

    /// Makes the call.
    ///
    /// - Returns: what came of it, in the words of ``expected``.
    func run(in directory: String) throws -> String {
        func path(_ index: Int) -> String {
            let name = arguments[index]
            if name == "\"" { return "" }
            let parts = name.split(separator: "/", omittingEmptySubsequences: false).map { part in
                guard part.first == "*", let count = Int(part.dropFirst()) else {
                    return String(part)
                }
                return String(repeating: "n", count: count)
            }
            return directory + "/" + parts.joined(separator: "/")
        }
        func number(_ index: Int) -> Int {
            let text = arguments[index]
            return Int(text, radix: text.hasPrefix("0") ? 8 : 10) ?? -1
        }
        switch call {
        case "mkdir": return outcome(mkdir(path(0), mode_t(number(1))))
        case "rmdir": return outcome(rmdir(path(0)))
        case "unlink": return outcome(unlink(path(0)))
        case "rename": return outcome(rename(path(0), path(1)))
        case "renameat2": return outcome(call_rename(path(0), path(1), UInt32(number(2))))
        case "link": return outcome(link(path(0), path(1)))
        case "symlink": return outcome(symlink(arguments[0], path(1)))
        case "mkfifo": return outcome(mkfifo(path(0), 0o644))
        case "mknod": return outcome(mknod(path(0), Self.types[arguments[1]] ?? 0, 0))
        case "truncate": return outcome(truncate(path(0), off_t(number(1))))
        case "chmod": return outcome(chmod(path(0), mode_t(number(1))))
        case "chown": return outcome(chown(path(0), id(arguments[1]), id(arguments[2])))
        case "utimensat": return outcome(setTimes(path(0), arguments[1], arguments[2]))
        case "type", "mode", "size", "uid", "gid", "nlink", "mtime":
            return status(path(0))
        case "same": return inode(path(0)) == inode(path(1)) ? "0" : "differs"
        default: return try open(path(0))
        }
    }

    private static let types = [
        "file": S_IFREG | 0o644, "fifo": S_IFIFO | 0o644, "socket": S_IFSOCK | 0o644,
        "char": S_IFCHR | 0o644, "block": S_IFBLK | 0o644,
    ]

    // MARK: Files

    private static let flags: [String: Int32] = [
        "RDONLY": O_RDONLY, "WRONLY": O_WRONLY, "RDWR": O_RDWR, "CREAT": O_CREAT,
        "EXCL": O_EXCL, "TRUNC": O_TRUNC, "APPEND": O_APPEND, "DIRECTORY": O_DIRECTORY,
        "NOFOLLOW": O_NOFOLLOW,
    ]

    /// `open`, and what is done with the descriptor: `ftruncate`, `write`, `pread`, `unlinked`.
    private func open(_ path: String) throws -> String {
        let names = arguments[1].split(separator: ",").map(String.init)
        var flags: Int32 = 0
        for name in names {
            guard let flag = Self.flags[name] else { throw TestFailure("no flag \(name): \(text)") }
            flags |= flag
        }
        let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return Self.name(errno) }
        defer { close(descriptor) }
        let rest = Array(arguments.dropFirst(2))
        switch call {
        case "open": return "0"
        case "ftruncate": return outcome(ftruncate(descriptor, off_t(Int(rest[0]) ?? 0)))
        case "write":
            let bytes = Array(rest[0].utf8)
            return outcome(Glibc.write(descriptor, bytes, bytes.count) == bytes.count ? 0 : -1)
        case "pread":
            return read(descriptor)
        case "unlinked":
            guard unlink(path) == 0 else { return Self.name(errno) }
            return read(descriptor)
        case "fchmod": return outcome(fchmod(descriptor, mode_t(rest[0]) ?? 0))
        default: throw TestFailure("no call \(call): \(text)")
        }
    }

    private func read(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 else { return Self.name(errno) }
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        return text.isEmpty ? "nothing" : String(text.split(separator: "\n").joined(separator: "|"))
    }

    // MARK: Attributes

    private func id(_ text: String) -> UInt32 { UInt32(text) ?? .max }

    /// Seconds, `now` or `omit`.
    private func setTimes(_ path: String, _ access: String, _ modification: String) -> Int32 {
        // UTIME_NOW and UTIME_OMIT of <sys/stat.h>.
        let special = ["now": (1 << 30) - 1, "omit": (1 << 30) - 2]
        let times = [access, modification].map { text in
            timespec(tv_sec: Int(text) ?? 0, tv_nsec: special[text] ?? 0)
        }
        return utimensat(AT_FDCWD, path, times, 0)
    }

    private func status(_ path: String) -> String {
        var status = Glibc.stat()
        guard lstat(path, &status) == 0 else { return Self.name(errno) }
        switch call {
        case "type":
            let types = [S_IFREG: "file", S_IFDIR: "directory", S_IFLNK: "link"]
            return types[status.st_mode & S_IFMT] ?? "other"
        case "mode": return "0" + String(status.st_mode & 0o7777, radix: 8)
        case "size": return "\(status.st_size)"
        case "uid": return "\(status.st_uid)"
        case "gid": return "\(status.st_gid)"
        case "nlink": return "\(status.st_nlink)"
        default: return "\(status.st_mtim.tv_sec)"
        }
    }

    private func inode(_ path: String) -> UInt {
        var status = Glibc.stat()
        return lstat(path, &status) == 0 ? status.st_ino : 0
    }

    // MARK: Results

    private func outcome(_ result: Int32) -> String { result == 0 ? "0" : Self.name(errno) }

    private static let names: [Int32: String] = [
        EPERM: "EPERM", ENOENT: "ENOENT", EBADF: "EBADF", EACCES: "EACCES", EBUSY: "EBUSY",
        EEXIST: "EEXIST", EXDEV: "EXDEV", ENOTDIR: "ENOTDIR", EISDIR: "EISDIR", EINVAL: "EINVAL",
        EFBIG: "EFBIG", ENOSPC: "ENOSPC", EROFS: "EROFS", ENAMETOOLONG: "ENAMETOOLONG",
        ENOTEMPTY: "ENOTEMPTY", ESTALE: "ESTALE", EOPNOTSUPP: "EOPNOTSUPP", ELOOP: "ELOOP",
    ]

    private static func name(_ number: Int32) -> String { names[number] ?? "errno \(number)" }
}
