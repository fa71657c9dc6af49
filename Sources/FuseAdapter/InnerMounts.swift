import Glibc
import Reactor
import SystemPackage

/// What others have mounted inside a mount, by the kernel's list.
///
/// The kernel detaches it where the answer for a name is another key, or none, for a moment.
final class InnerMounts {
    private struct Mount {
        let parent: Substring
        let device: Substring
        /// What of the filesystem is its root.
        let root: Substring
        let place: Substring
    }

    /// poll(2) says whether the list has changed: it is read only then.
    private let list: FileDescriptor?
    private let device: Substring
    private var paths: [Substring] = []
    private var isRead = false

    /// - Parameter device: the number of the mount's device, as makedev(3) gives it.
    init(of device: UInt64) {
        let major = device >> 32 & ~0xfff | device >> 8 & 0xfff
        let minor = device >> 12 & 0xffff_ff00 | device & 0xff
        self.device = "\(major):\(minor)"
        // Where there is no /proc, nothing can be found.
        list = try? FileDescriptor.open("/proc/self/mountinfo", .readOnly, options: .closeOnExec)
    }

    func close() {
        list?.closeIgnoringErrors()
    }

    /// Whether something is mounted at a path or below it.
    ///
    /// - Parameter path: from the root of the mount on, without a slash at its beginning.
    func contains(_ path: String) -> Bool {
        if !isRead || hasChanged { read() }
        return paths.contains { $0 == path || $0.hasPrefix(path + "/") }
    }

    private var hasChanged: Bool {
        guard let list else { return false }
        var entry = pollfd(fd: list.rawValue, events: Int16(POLLPRI), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    private func read() {
        isRead = true
        guard let list, lseek(list.rawValue, 0, SEEK_SET) == 0 else { return }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = Glibc.read(list.rawValue, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        var mounts: [Substring: Mount] = [:]
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            // proc(5): ID, parent, device, root, place, and more.
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count == 6 else { continue }
            mounts[fields[0]] = Mount(
                parent: fields[1],
                device: fields[2],
                root: fields[3],
                place: fields[4]
            )
        }
        paths = mounts.values.compactMap { mount in
            // The mount is seen where it was made, and where others have bound it.
            guard let parent = mounts[mount.parent], parent.device == device else { return nil }
            let root = parent.root == "/" ? "" : parent.root
            return (root + mount.place.dropFirst(parent.place.count)).dropFirst()
        }
    }
}
