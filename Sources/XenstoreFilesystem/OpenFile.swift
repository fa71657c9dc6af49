/// An open file: one snapshot of the value, and what is to be put.
final class OpenFile {
    /// What was asked for and not yet done in the store.
    enum Pending {
        case nothing
        /// O_TRUNC or creation: done by the first write, or when the file is closed for good.
        case untilRelease
        /// ftruncate(2): done by the next write, or when the file is closed.
        case untilFlush
    }

    let node: KeyNode
    let flags: OpenFlags
    /// The file as this handle sees it.
    var content: [UInt8]
    var pending: Pending = .nothing
    /// Whether the key does not exist before this handle's first write.
    var isCreator = false

    init(node: KeyNode, flags: OpenFlags, content: [UInt8]) {
        self.node = node
        self.flags = flags
        self.content = content
    }
}

/// An open scratch file: what is read is what was written last.
final class OpenScratch {
    let file: ScratchFile
    let flags: OpenFlags

    init(file: ScratchFile, flags: OpenFlags) {
        self.file = file
        self.flags = flags
    }
}

/// What open(2) gives.
enum OpenHandle {
    case key(OpenFile)
    case scratch(OpenScratch)
    case stream(OpenStream)
}

/// An open directory: one consistent listing.
final class OpenDirectory {
    let node: KeyNode
    /// The names of the children, and `.value` where there is one.
    var names: [String]
    /// Whether the listing is as of the opening, and was not given out yet.
    var isFresh = true

    init(node: KeyNode, names: [String]) {
        self.node = node
        self.names = names
    }
}
