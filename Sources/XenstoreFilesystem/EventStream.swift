import XenstoreProtocol

/// A file that tells of changes as they come, a path a line.
final class StreamFile {
    let inode: InodeNumber
    /// Changes at and below this key are told, or those of a special path.
    let path: XenstorePath
    /// References that the kernel holds.
    var lookups: UInt64 = 0
    /// How the directories above the key were last shown, where other users are let in.
    var rights: [XenstorePath: ShownRights] = [:]

    init(inode: InodeNumber, path: XenstorePath) {
        self.inode = inode
        self.path = path
    }
}

/// The event streams that the kernel knows, by number and by path, and those that are open.
struct StreamTable {
    /// Keys and scratch files have smaller numbers.
    private let firstInode: UInt64
    private var byInode: [InodeNumber: StreamFile] = [:]
    private var byPath: [XenstorePath: StreamFile] = [:]
    private var next: UInt64
    private(set) var open: [HandleID: OpenStream] = [:]

    init(of filesystem: FilesystemID) {
        firstInode = filesystem.firstStream
        next = firstInode
    }

    func find(_ inode: InodeNumber) -> StreamFile? {
        inode.rawValue < firstInode ? nil : byInode[inode]
    }

    /// The stream of a path, known from now on until the kernel forgets it.
    mutating func make(_ path: XenstorePath) -> StreamFile {
        if let known = byPath[path] { return known }
        let file = StreamFile(inode: InodeNumber(rawValue: next), path: path)
        next += 1
        byInode[file.inode] = file
        byPath[path] = file
        return file
    }

    /// - Returns: whether it is a stream that was meant.
    mutating func forget(_ inode: InodeNumber, count: UInt64) -> Bool {
        guard let file = find(inode) else { return false }
        file.lookups -= min(count, file.lookups)
        if file.lookups == 0 {
            byInode[inode] = nil
            byPath[file.path] = nil
        }
        return true
    }

    mutating func opened(_ stream: OpenStream, _ handle: HandleID) {
        open[handle] = stream
    }

    mutating func closed(_ handle: HandleID) {
        open.removeValue(forKey: handle)?.lines.end()
    }
}

/// An open event stream: what has come and was not read yet, each path once, within a bound.
final class OpenStream {
    let path: XenstorePath
    /// Whether the key may be there, and so be removed together with what is above.
    var mayExist = true
    /// For whom lines are left out; nil for one who sees all.
    var reader: StreamReader?
    /// How directories at and above its keys were last shown: of one that is gone the store
    /// says nothing.
    private(set) var rights: [XenstorePath: ShownRights]
    private var unchecked: [XenstorePath] = []
    var isChecking = false
    let lines = LineQueue()

    init(_ file: StreamFile) {
        path = file.path
        rights = file.rights
    }

    /// Adds what may become a line, within the same bound.
    func addUnchecked(_ path: XenstorePath) {
        if unchecked.count == FilesystemLimits.streamLines {
            unchecked = []
            lines.miss()
        }
        if unchecked.last != path { unchecked.append(path) }
    }

    func takeUnchecked() -> [XenstorePath] {
        defer { unchecked = [] }
        return unchecked
    }

    func keepRights(_ new: [XenstorePath: ShownRights]) {
        if rights.count + new.count > FilesystemLimits.streamRights { rights = [:] }
        rights.merge(new) { $1 }
    }

    /// A directory has changed: it and what is below may be gone, and another there.
    func dropRights(from path: XenstorePath) {
        guard rights[path] != nil else { return }
        for directory in rights.keys where path.contains(directory) { rights[directory] = nil }
    }
}
