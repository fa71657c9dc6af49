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

    private(set) var node: KeyNode
    /// The one before, which the kernel knows the file by.
    private(set) var formerNode: KeyNode?
    let flags: OpenFlags
    /// The file as this handle sees it.
    var content: [UInt8]
    var pending: Pending = .nothing
    /// Whether a program that only reads was told the end of the content.
    var sawEnd = false
    /// Whether the key does not exist before this handle's first write.
    var isCreator = false

    init(node: KeyNode, flags: OpenFlags, content: [UInt8]) {
        self.node = node
        self.flags = flags
        self.content = content
    }

    /// The key has another node now.
    func move(to node: KeyNode) {
        let old = self.node
        self.node = node
        formerNode = formerNode ?? old
        old.handleCount -= 1
        node.handleCount += 1
        guard isCreator else { return }
        old.creatorCount -= 1
        node.creatorCount += 1
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
    /// Of no snapshot: what is read goes through the kernel's cache.
    case leased(KeyNode)
    case stream(OpenStream)
}

extension [UInt8] {
    /// What read(2) gives at an offset.
    func part(offset: Int, count: Int) -> ArraySlice<UInt8> {
        guard offset >= 0, offset < self.count, count > 0 else { return [] }
        return self[offset..<Swift.min(self.count, offset + count)]
    }
}
