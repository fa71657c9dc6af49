import Glibc
public import XenstoreFilesystem

/// Tells which files a process has open, by what /proc says of its descriptors. Nothing is looked
/// up on the way: a mount that walked its own paths would wait for itself.
public enum OpenDescriptors {
    /// The descriptors that a shell gives to what it redirects: looking at them first spares most
    /// of the work.
    private static let usual = 0...2

    /// Whether a descriptor of a thread's process is that of a file; nil where that cannot be seen.
    ///
    /// - Parameter path: absolute, as the daemon sees it.
    public static func contain(_ path: String, of caller: CallerID) -> Bool? {
        guard caller != .nobody, let list = opendir("/proc/\(caller.rawValue)/fd") else {
            return nil
        }
        defer { closedir(list) }
        let path = Array(path.utf8)
        if usual.contains(where: { isLink("\($0)", in: list, to: path) }) { return true }
        while let entry = readdir(list) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                String(cString: UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))
            }
            if isLink(name, in: list, to: path) { return true }
        }
        return false
    }

    private static func isLink(_ name: String, in list: OpaquePointer, to path: [UInt8]) -> Bool {
        // One more than fits what is looked for: what is longer is another.
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: path.count + 1) { target in
            let count = target.baseAddress.map { readlinkat(dirfd(list), name, $0, target.count) }
            guard let count, count == path.count else { return false }
            return target[..<count].elementsEqual(path.lazy.map(CChar.init(bitPattern:)))
        }
    }
}
