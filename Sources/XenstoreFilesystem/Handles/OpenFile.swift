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
    /// The thread that has opened it.
    let opener: CallerID
    /// When that was.
    let opened: Duration
    /// The file as this handle sees it.
    var content: [UInt8]
    /// What goes to the kernel's page cache, where that is not the content: nothing was read yet,
    /// and the kernel may not take the size of a value that came after the opening.
    private var cachedContent: [UInt8]?
    var pending: Pending = .nothing
    /// Whether a program has read or written through it, and goes on with the content it has.
    private(set) var isUsed = false
    /// Whether the store is asked for what follows the content: a program that only reads has seen
    /// the end of it, or a program has seen a larger size.
    private(set) var asksAtEnd = false
    /// Whether the key does not exist before this handle's first write.
    var createsOnWrite = false
    /// The value that O_TRUNC hides until the key is written.
    private(set) var hidden: [UInt8]?

    init(
        node: KeyNode,
        flags: OpenFlags,
        opener: CallerID,
        content: [UInt8],
        opened: Duration
    ) {
        self.node = node
        self.opened = opened
        self.flags = flags
        self.opener = opener
        self.content = content
    }

    /// What read(2) gives at an offset.
    func read(offset: Int, count: Int) -> ArraySlice<UInt8> {
        (isUsed, cachedContent) = (true, nil)
        if offset >= content.count, !flags.contains(.write) { asksAtEnd = true }
        return content.part(offset: offset, count: count)
    }

    /// What read(2) gives at an offset, by what the store holds now.
    func read(_ content: [UInt8], offset: Int, count: Int) -> ArraySlice<UInt8> {
        self.content = content
        (isUsed, cachedContent) = (true, nil)
        asksAtEnd = offset >= content.count
        return content.part(offset: offset, count: count)
    }

    /// The content after a write.
    func written(_ content: [UInt8]) {
        self.content = content
        (isUsed, cachedContent) = (true, nil)
        asksAtEnd = false
    }

    /// O_TRUNC is done by the first write, or when the file is closed for good.
    func hide(_ value: [UInt8]) {
        hidden = value
        pending = .untilRelease
    }

    /// Another handle of this mount has changed the file: who writes to it goes on from there, as
    /// on a disk.
    func follow(_ content: [UInt8]) {
        guard flags.contains(.write), pending == .nothing else { return }
        self.content = content
        cachedContent = nil
        asksAtEnd = false
    }

    /// A program is given the size of the value that the store holds: it can read as much. A file
    /// from which nothing was read becomes that value; of another, what follows is asked for.
    ///
    /// - Parameters:
    ///   - isSure: whether the kernel takes that size.
    ///   - content: makes the content of that value.
    func show(size: Int, isSure: Bool, _ content: () -> [UInt8]) {
        guard pending == .nothing, size != cachedSize || size != self.content.count else { return }
        if !isUsed {
            // The kernel sees the end of what is shorter than it takes the file to be.
            let isCut = size > cachedSize && !isSure
            cachedContent = isCut ? cachedContent ?? self.content : nil
            self.content = content()
        } else if size > self.content.count {
            asksAtEnd = true
        }
    }

    /// How much of it a program can read through the page cache.
    var cachedSize: Int {
        if pending == .nothing, let cachedContent { cachedContent.count } else { content.count }
    }

    /// What is read next goes to the kernel's page cache.
    func willCache() {
        if pending == .nothing, let cachedContent { content = cachedContent }
    }

    /// Whether the program has changed what it sees of the file, and the store has not: with
    /// O_TRUNC or ftruncate(2). A file that it is only creating hides nothing.
    var hidesValue: Bool {
        switch pending {
        case .nothing: false
        case .untilRelease: !createsOnWrite || flags.contains(.truncate)
        case .untilFlush: true
        }
    }

    /// How much a program can read, where the store holds a value of this size.
    func size(shown size: Int) -> Int {
        pending == .nothing ? max(size, content.count) : content.count
    }

    /// The key has another node now.
    func move(to node: KeyNode) {
        let old = self.node
        self.node = node
        formerNode = formerNode ?? old
        old.handleCount -= 1
        node.handleCount += 1
        guard createsOnWrite else { return }
        old.deferredCreateCount -= 1
        node.deferredCreateCount += 1
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
