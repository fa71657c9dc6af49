import Glibc
public import XenstoreFilesystem

/// Tells whether a thread may use a file that another thread has opened: a file belongs to a
/// process, and to those that it starts.
public enum ProcessFamily {
    /// Processes that are looked at, from a child to those that have started it.
    private static let depth = 8

    /// Whether `caller` is a thread of the process of `opener`, or of one that this process has
    /// started; false where that cannot be seen.
    public static func contains(_ caller: CallerID, openerOf opener: CallerID) -> Bool {
        guard caller != opener else { return caller != .nobody }
        guard let owner = status(opener.rawValue)?.process else { return false }
        var thread = caller.rawValue
        for _ in 0..<depth {
            guard let status = status(thread) else { return false }
            if status.process == owner { return true }
            thread = status.parent
        }
        return false
    }

    /// The process of a thread, and the one that has started it.
    private static func status(_ thread: Int32) -> (process: Int32, parent: Int32)? {
        guard thread > 0, let file = fopen("/proc/\(thread)/status", "re") else { return nil }
        defer { fclose(file) }
        var (process, parent): (Int32?, Int32?)
        var line = [CChar](repeating: 0, count: 256)
        while parent == nil, fgets(&line, Int32(line.count), file) != nil {
            let words = line.prefix { $0 != 0 }.split { $0 == 9 || $0 == 10 || $0 == 32 }
                .map { String(decoding: $0.map(UInt8.init(bitPattern:)), as: UTF8.self) }
            guard words.count > 1 else { continue }
            if words[0] == "Tgid:" { process = Int32(words[1]) }
            if words[0] == "PPid:" { parent = Int32(words[1]) }
        }
        guard let process, let parent else { return nil }
        return (process, parent)
    }
}
