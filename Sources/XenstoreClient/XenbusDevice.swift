import Glibc
import Reactor
import SystemPackage

/// The kernel's xenbus device: the one file that a client may write its requests to.
///
/// Anything else that is named by mistake stays as it is: a document would be overwritten, and a
/// disk, too.
enum XenbusDevice {
    /// What the kernel calls it.
    private static let name = "xen/xenbus"
    /// The kernel's miscellaneous devices (`MISC_MAJOR`), whose minor numbers are dynamic.
    private static let miscMajor: UInt64 = 10

    /// Opens it for reading and writing. Nothing else is opened, as opening alone can do something
    /// to a device.
    ///
    /// - Throws: `ENODEV` for what is no xenbus device; otherwise the error of open(2).
    static func open(_ path: String) throws(Errno) -> FileDescriptor {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Errno.current }
        guard obstacle(status, path) == nil else { throw .operationNotSupportedByDevice }
        let number = Glibc.open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard number >= 0 else { throw Errno.current }
        let descriptor = FileDescriptor(rawValue: number)
        // There may be another file by now.
        guard fstat(number, &status) == 0, obstacle(status, path) == nil else {
            descriptor.closeIgnoringErrors()
            throw .operationNotSupportedByDevice
        }
        return descriptor
    }

    /// What is there instead; nil for a xenbus device.
    static func obstacle(_ status: stat, _ path: String) -> String? {
        let isDevice =
            switch status.st_mode & S_IFMT {
            case S_IFCHR: isXenbus(status.st_rdev, path)
            case S_IFREG: isXenbusFile(status, path)
            default: false
            }
        return isDevice ? nil : kind(status)
    }

    fileprivate static func kind(_ status: stat) -> String {
        switch status.st_mode & S_IFMT {
        case S_IFCHR: "a character device"
        case S_IFREG: "a regular file"
        case S_IFSOCK: "a socket"
        case S_IFDIR: "a directory"
        case S_IFBLK: "a block device"
        case S_IFIFO: "a pipe"
        default: "something else"
        }
    }

    private static func isXenbus(_ device: dev_t, _ path: String) -> Bool {
        let (major, minor) = numbers(device)
        guard major == miscMajor else { return false }
        if let lines = lines(of: "/sys/dev/char/\(major):\(minor)/uevent") {
            return lines.contains("DEVNAME=\(name)")
        }
        if let lines = lines(of: "/proc/misc") {
            return lines.contains { $0.split(separator: " ") == ["\(minor)", Substring(name)] }
        }
        // An early boot without either: the kernel itself names what is in /dev.
        return path == "/dev/" + name
    }

    /// Older kernels have it in xenfs alone, or in proc: /proc/xen/xenbus.
    private static func isXenbusFile(_ status: stat, _ path: String) -> Bool {
        guard let real = realpath(path, nil) else { return false }
        defer { free(real) }
        guard String(cString: real).split(separator: "/").last == "xenbus" else { return false }
        let (major, minor) = numbers(status.st_dev)
        let device = "\(major):\(minor)"
        // proc(5): ID, parent, device, root, mountpoint, options, ..., `-`, type, source, options.
        let mounts = lines(of: "/proc/self/mountinfo") ?? []
        return mounts.contains { line in
            let fields = line.split(separator: " ")
            guard fields.count > 2, fields[2] == device,
                let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count
            else { return false }
            return ["xenfs", "proc"].contains(fields[dash + 1])
        }
    }

    /// As glibc puts the two into one, in makedev(3), a macro.
    private static func numbers(_ device: dev_t) -> (major: UInt64, minor: UInt64) {
        let (high, low) = (UInt64(device) >> 32, UInt64(device) & 0xffff_ffff)
        return (high & ~0xfff | low >> 8 & 0xfff, low >> 12 & ~0xff | low & 0xff)
    }

    private static func lines(of path: String) -> [Substring]? {
        guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
        else { return nil }
        defer { file.closeIgnoringErrors() }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            guard let count = try? buffer.withUnsafeMutableBytes({ try file.read(into: $0) })
            else { return nil }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
}

extension StoreAddress {
    /// What lies at the place that can be no store, as `a regular file`; nil where nothing speaks
    /// against it, and where nothing is.
    public var obstacle: String? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        switch self {
        case .device: return XenbusDevice.obstacle(status, path)
        case .socket:
            return status.st_mode & S_IFMT == S_IFSOCK ? nil : XenbusDevice.kind(status)
        }
    }
}
