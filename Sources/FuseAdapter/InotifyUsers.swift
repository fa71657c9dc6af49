import Glibc
public import XenstoreFilesystem

/// Tells whether a process may watch files: it needs a descriptor of inotify before it can name
/// what it watches.
public struct InotifyUsers {
    /// How long an answer holds, in nanoseconds. Looking takes some microseconds.
    private static let lifetime: Int64 = 20_000_000

    private var last: CallerID?
    private var lastAnswer = false
    private var lastTime = Moment.now

    public init() {}

    /// Whether the thread's process has a descriptor of inotify; false where that cannot be told.
    public mutating func contains(_ caller: CallerID) -> Bool {
        let now = Moment.now
        if last == caller, now - lastTime < Self.lifetime { return lastAnswer }
        (last, lastAnswer, lastTime) = (caller, Self.hasDescriptor(caller), now)
        return lastAnswer
    }

    private static func hasDescriptor(_ caller: CallerID) -> Bool {
        let directory = "/proc/\(caller.rawValue)/fd"
        guard let stream = opendir(directory) else { return false }
        defer { closedir(stream) }
        var target = [CChar](repeating: 0, count: 32)
        while let entry = readdir(stream) {
            let count = withUnsafePointer(to: &entry.pointee.d_name) { name in
                readlinkat(
                    dirfd(stream),
                    UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self),
                    &target,
                    target.count
                )
            }
            guard count > 0 else { continue }
            let bytes = target[..<count].map { UInt8(bitPattern: $0) }
            if bytes.elementsEqual("anon_inode:inotify".utf8) { return true }
        }
        return false
    }
}
