import FilesystemScenarios
import Glibc
import MountCalls
import MountSupport
import XenstoreFilesystem
import XenstoreProtocol

/// A mount as a program sees it: plain system calls, with nothing in between.
struct MountedSurface: Surface {
    let store: any XenstoreAccess
    let mountpoint: String
    var mayShowNewest = false

    func read(_ path: String) async throws -> [UInt8] {
        try with(path, O_RDONLY) { descriptor in
            var bytes = [UInt8](repeating: 0, count: 65536)
            let count = try check(again { Glibc.read(descriptor, &bytes, bytes.count) })
            return Array(bytes[..<count])
        }
    }

    func write(_ bytes: [UInt8], to path: String) async throws {
        try with(path, O_WRONLY | O_CREAT | O_TRUNC) { descriptor in
            // A shell closes a copy of the descriptor first.
            Glibc.close(fcntl(descriptor, F_DUPFD_CLOEXEC, 0))
            if !bytes.isEmpty { try check(Glibc.write(descriptor, bytes, bytes.count)) }
        }
    }

    func append(_ bytes: [UInt8], to path: String) async throws {
        try with(path, O_WRONLY | O_CREAT | O_APPEND) { descriptor in
            _ = try check(Glibc.write(descriptor, bytes, bytes.count))
        }
    }

    func createExclusively(_ path: String) async throws {
        try with(path, O_WRONLY | O_CREAT | O_EXCL) { _ in }
    }

    func makeTemporary(_ bytes: [UInt8], at path: String) async throws {
        _ = try with(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600) { descriptor in
            try check(Glibc.write(descriptor, bytes, bytes.count))
        }
    }

    func truncate(_ path: String, to size: Int) async throws {
        try check(Glibc.truncate(mountpoint + path, off_t(size)))
    }

    func open(_ path: String, _ flags: OpenFlags, creating: Bool) async throws -> any SurfaceFile {
        var system = O_RDONLY
        if flags.contains(.write) { system = flags.contains(.read) ? O_RDWR : O_WRONLY }
        if flags.contains(.append) { system |= O_APPEND }
        if flags.contains(.truncate) { system |= O_TRUNC }
        if creating { system |= O_CREAT }
        let descriptor = try check(Glibc.open(mountpoint + path, system | O_CLOEXEC, 0o644))
        var status = stat()
        guard fstat(descriptor, &status) != 0 || status.st_mode & S_IFMT != S_IFDIR else {
            Glibc.close(descriptor)
            throw FilesystemError.isDirectory
        }
        return MountedFile(descriptor: descriptor)
    }

    func status(_ path: String) async throws -> Status {
        var status = stat()
        try check(stat(mountpoint + path, &status))
        return Status(
            kind: status.st_mode & S_IFMT == S_IFDIR ? .directory : .file,
            size: Int(status.st_size),
            mode: status.st_mode & 0o7777,
            userID: status.st_uid
        )
    }

    func times(_ path: String) async throws -> Times {
        var status = stat()
        try check(stat(mountpoint + path, &status))
        return Times(
            inode: UInt64(status.st_ino),
            modified: status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec,
            changed: status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec
        )
    }

    func setModified(_ time: Timestamp, of path: String) async throws {
        // UTIME_OMIT, which is a macro.
        let omit = timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2)
        let new = timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
        try check(utimensat(AT_FDCWD, mountpoint + path, [omit, new], 0))
    }

    func list(_ path: String) async throws -> [(name: String, kind: FileKind)] {
        guard let directory = opendir(mountpoint + path) else { throw Self.failure }
        defer { closedir(directory) }
        var listed: [(name: String, kind: FileKind)] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else { break }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            listed.append((name, entry.pointee.d_type == UInt8(DT_DIR) ? .directory : .file))
        }
        guard errno == 0 else { throw Self.failure }
        return listed
    }

    func makeDirectory(_ path: String) async throws {
        try check(mkdir(mountpoint + path, 0o755))
    }

    func removeDirectory(_ path: String) async throws {
        try check(rmdir(mountpoint + path))
    }

    func unlink(_ path: String) async throws {
        try check(Glibc.unlink(mountpoint + path))
    }

    func rename(_ path: String, to newPath: String, _ mode: RenameMode) async throws {
        let flags: UInt32 =
            switch mode {
            case .replace: 0
            case .keep: 1
            case .exchange: 2
            }
        try check(call_rename(mountpoint + path, mountpoint + newPath, flags))
    }

    func setMode(_ mode: UInt32, of path: String) async throws {
        try check(chmod(mountpoint + path, mode))
    }

    func setOwner(_ userID: UInt32, of path: String) async throws {
        try check(chown(mountpoint + path, userID, gid_t.max))
    }

    func setGroup(_ groupID: UInt32, of path: String) async throws {
        try check(chown(mountpoint + path, uid_t.max, groupID))
    }

    func attribute(_ name: String, of path: String) async throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = try check(call_getxattr(mountpoint + path, name, &bytes, bytes.count))
        return Array(bytes[..<count])
    }

    func setAttribute(_ name: String, to value: [UInt8], of path: String) async throws {
        try check(call_setxattr(mountpoint + path, name, value, value.count))
    }

    func removeAttribute(_ name: String, of path: String) async throws {
        try check(call_removexattr(mountpoint + path, name))
    }

    // MARK: Errors

    fileprivate static var failure: any Error {
        FilesystemError(rawValue: errno) ?? TestFailure("error number \(errno)")
    }

    private func with<Value>(
        _ path: String,
        _ flags: Int32,
        mode: mode_t = 0o644,
        _ body: (Int32) throws -> Value
    ) throws -> Value {
        let descriptor = try check(Glibc.open(mountpoint + path, flags | O_CLOEXEC, mode))
        let outcome = Result { try body(descriptor) }
        try check(Glibc.close(descriptor))
        return try outcome.get()
    }
}

/// A descriptor.
private struct MountedFile: SurfaceFile {
    let descriptor: Int32

    func read() async throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = try check(again { pread(descriptor, &bytes, bytes.count, 0) })
        return Array(bytes[..<count])
    }

    func write(_ bytes: [UInt8], at offset: Int) async throws {
        try check(pwrite(descriptor, bytes, bytes.count, off_t(offset)))
    }

    func truncate(to size: Int) async throws {
        try check(ftruncate(descriptor, off_t(size)))
    }

    func size() async throws -> Int {
        var status = stat()
        try check(fstat(descriptor, &status))
        return Int(status.st_size)
    }

    func end() async throws -> Int {
        Int(try check(lseek(descriptor, 0, SEEK_END)))
    }

    func close() async throws {
        try check(Glibc.close(descriptor))
    }
}

/// What is interrupted begins anew, as in every program's library.
private func again<Number: SignedInteger>(_ call: () -> Number) -> Number {
    var result = call()
    while result < 0, errno == EINTR { result = call() }
    return result
}

@discardableResult
private func check<Number: SignedInteger>(_ result: Number) throws -> Number {
    guard result >= 0 else { throw MountedSurface.failure }
    return result
}
