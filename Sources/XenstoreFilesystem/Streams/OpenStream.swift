import XenstoreProtocol

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
