/// The files that programs have open, by number and by key.
final class OpenFiles {
    private let handles: HandleTable<OpenHandle>

    init(of filesystem: FilesystemID) {
        handles = HandleTable(of: filesystem)
    }

    var count: Int { handles.count }

    func insert(_ handle: OpenHandle) -> HandleID { handles.insert(handle) }

    func remove(_ id: HandleID) -> OpenHandle? { handles.remove(id) }

    func find(_ id: HandleID) throws(FilesystemError) -> OpenHandle { try handles.find(id) }

    /// The open file of a key.
    func key(_ id: HandleID) throws(FilesystemError) -> OpenFile {
        guard case .key(let file) = try find(id) else { throw .badHandle }
        return file
    }

    // MARK: Of a key

    /// Goes through the open files of a key.
    func forEach(of node: KeyNode, _ body: (OpenFile) -> Void) {
        guard node.handleCount > 0 else { return }
        handles.forEach { handle in
            if case .key(let file) = handle, file.node === node { body(file) }
        }
    }

    /// The file that was opened last of those of a key that are wanted.
    func last(of node: KeyNode, where isWanted: (OpenFile) -> Bool) -> OpenFile? {
        guard node.handleCount > 0 else { return nil }
        let last = handles.last { handle in
            if case .key(let file) = handle { file.node === node && isWanted(file) } else { false }
        }
        guard case .key(let file) = last else { return nil }
        return file
    }

    /// Whether a program has the file of a key open.
    func hasAny(of node: KeyNode) -> Bool {
        node.handleCount > 0
            && handles.contains { handle in
                switch handle {
                case .key(let file): file.node === node
                case .scratch(let open): open.file.destination === node
                case .leased(let leased): leased === node
                case .stream: false
                }
            }
    }

    /// Whether a program has opened the file of a key to read a moment ago, and may do so now. One
    /// that writes waits in the kernel for whoever changes the file.
    func isBeingRead(_ node: KeyNode, at now: () -> Duration) -> Bool {
        guard node.handleCount > 0 else { return false }
        let now = now()
        return last(of: node) { file in
            !file.flags.contains(.write) && now - file.opened < FilesystemLimits.reading
        } != nil
    }

    /// The size of the longest content that a program can read from a file of a key that it has
    /// open; nil where none is open.
    func largestSize(of node: KeyNode) -> Int? {
        var largest: Int?
        forEach(of: node) { largest = max(largest ?? 0, $0.cachedSize) }
        return largest
    }

    // MARK: By way of the kernel's cache

    /// Whether a program has a file open to be read by way of the kernel's cache.
    func hasLeased(of node: KeyNode) -> Bool {
        node.handleCount > 0
            && handles.contains { handle in
                if case .leased(let leased) = handle { leased === node } else { false }
            }
    }

    /// Puts files of one content in the place of those of a key that are read by way of the
    /// kernel's cache.
    func replaceLeased(of node: KeyNode, by make: () -> OpenFile) {
        handles.replaceEach { handle in
            guard case .leased(let leased) = handle, leased === node else { return nil }
            return .key(make())
        }
    }

    // MARK: Nodes

    /// The node that has taken the place of one, where a program has a file open that was made
    /// with the old one.
    func replacement(of node: KeyNode) -> KeyNode? {
        var replacement: KeyNode?
        handles.forEach { handle in
            if case .key(let file) = handle, file.formerNode === node { replacement = file.node }
        }
        return replacement
    }

    /// Gives all that programs have open of a key to the node that takes its place.
    func moveAll(from node: KeyNode, to new: KeyNode) {
        handles.forEach { handle in
            switch handle {
            case .key(let file) where file.node === node: file.move(to: new)
            case .scratch(let open) where open.file.destination === node: open.file.move(to: new)
            default: break
            }
        }
    }
}
