import XenstoreProtocol

/// The keys that are in use, and those that the kernel forgot last, by number and by place.
///
/// What lives in this mount alone (the numbers, what empty keys were made as, times) is in the
/// nodes. So these stay for a while when nobody needs them: see ``ForgottenKeys``.
final class KeyTable {
    /// A key as its place: a dictionary of places would hold each name once more.
    private struct Dentry: Hashable {
        let node: KeyNode

        static func == (first: Dentry, second: Dentry) -> Bool {
            first.node.parent === second.node.parent && first.node.name == second.node.name
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(node.parent?.id)
            hasher.combine(node.name)
        }
    }

    /// The table outside of a transaction.
    struct Outside {
        /// What an empty key was made as.
        let kind: (XenstorePath) -> FileKind?
        /// Gives a new key the times that it has there.
        let inherit: (XenstorePath, KeyNode) -> Void
    }

    let root: KeyNode
    private var byID: [UInt64: KeyNode]
    private var byPlace: Set<Dentry> = []
    /// Stands at the place that is looked for.
    private let wanted: KeyNode
    private var childrenOf: [UInt64: Set<UInt64>] = [:]
    private var nextID: UInt64
    private let filesystem: FilesystemID
    /// How an empty key shows of which nothing is remembered.
    private let emptyKeyKind: EmptyKeyKind
    private var forgotten = ForgottenKeys()
    /// What another table knows of a key that this one meets for the first time; nil where there
    /// is no other.
    var outside: Outside?
    private let rootPath: XenstorePath
    /// The names that lead to the root.
    private let rootDepth: Int

    init(of filesystem: FilesystemID, root path: XenstorePath, emptyKeyKind: EmptyKeyKind) {
        self.filesystem = filesystem
        self.emptyKeyKind = emptyKeyKind
        rootPath = path
        rootDepth = path.components.count
        root = KeyNode(
            id: filesystem.rootNode,
            name: path.isRoot ? "" : path.text,
            parent: nil
        )
        root.reportedKind = .directory
        wanted = KeyNode(id: root.id, name: "", parent: nil)
        byID = [root.id: root]
        // The next after the root's is the root's, too (see `KeyNode.inode`).
        nextID = root.id + 2
    }

    /// How many keys the kernel knows, or programs have open.
    var count: Int { byID.values.count(where: \.isHeld) }

    /// Whether a number can be that of a key, and not of a scratch file or a stream: theirs are far
    /// above.
    func mayHave(_ inode: InodeNumber) -> Bool { inode.rawValue < filesystem.firstScratch }

    /// The key and the kind that the kernel's number stands for.
    func find(_ inode: InodeNumber) -> (node: KeyNode, kind: FileKind)? {
        if inode == filesystem.root { return (root, .directory) }
        if inode == root.inode(.file) { return (root, .file) }
        guard let node = byID[inode.rawValue >> 1] else { return nil }
        return (node, inode.rawValue & 1 == 1 ? .directory : .file)
    }

    /// The known key of this name.
    func child(_ name: String, of parent: KeyNode) -> KeyNode? {
        wanted.move(to: parent, name: name)
        defer { wanted.move(to: nil, name: "") }
        return byPlace.firstIndex(of: Dentry(node: wanted)).map { byPlace[$0].node }
    }

    /// The key of this name, known from now on. It goes again with ``dropUnused(_:)``.
    func insertChild(_ name: String, of parent: KeyNode) -> KeyNode {
        child(name, of: parent) ?? addChild(name, of: parent)
    }

    /// The key of this name, which is not known yet, and is from now on.
    func addChild(_ name: String, of parent: KeyNode) -> KeyNode {
        let node = KeyNode(id: nextID, name: name, parent: parent)
        nextID += 1
        if let outside, let path = try? node.path() {
            node.emptyKind = outside.kind(path)
            outside.inherit(path, node)
        }
        byID[node.id] = node
        place(node, under: parent)
        return node
    }

    /// The key of this name that was just made: what is remembered is of another.
    func insertNew(_ name: String, of parent: KeyNode) -> KeyNode {
        if let known = child(name, of: parent), !known.isHeld {
            dropMemory(below: known)
            // A program may have a file open that is made again with the directories above it.
            if !known.isInUse { unlink(known) }
        }
        return insertChild(name, of: parent)
    }

    /// Nobody may need a key any more: then it is remembered for a while, unless it is gone.
    func dropUnused(_ node: KeyNode) {
        guard !node.isHeld else { return }
        guard !node.isUnlinked, !node.isGone else {
            forgotten.remove(node)
            return drop(node)
        }
        node.wasForgotten()
        for oldest in forgotten.insert(node) { drop(oldest) }
    }

    /// Forgets a key that nothing needs, and parents that only it kept.
    ///
    /// - Parameter top: one that stays.
    private func drop(_ node: KeyNode, below top: KeyNode? = nil) {
        var next: KeyNode? = node
        while let node = next, node !== top, !node.isInUse, !forgotten.contains(node) {
            next = node.parent
            removeDentry(node)
            byID[node.id] = nil
        }
    }

    /// Forgets what is remembered of keys below one that is gone.
    func dropMemory(below node: KeyNode) {
        guard node.childCount > 0 else { return }
        for below in subtree(of: node).dropFirst().reversed() where !below.isHeld {
            forgotten.remove(below)
            drop(below, below: node)
        }
    }

    /// Takes a key's place away: it was removed, or another took its place. Who has it open keeps
    /// it.
    func unlink(_ node: KeyNode) {
        guard !node.isRoot else { return }
        dropMemory(below: node)
        let parent = node.parent
        forgotten.remove(node)
        removeDentry(node)
        node.isStaleInKernel = true
        if !node.isInUse { byID[node.id] = nil }
        if let parent { dropUnused(parent) }
    }

    /// Puts another key in the place of one, with the known keys below it: the kernel has no more
    /// use for the number of the old one.
    func replace(_ node: KeyNode) -> KeyNode {
        guard let parent = node.parent else { return node }
        let children = (childrenOf[node.id] ?? []).compactMap { byID[$0] }
        removeDentry(node)
        node.isStaleInKernel = true
        let new = insertChild(node.name, of: parent)
        new.takeMemory(of: node)
        for child in children {
            removeDentry(child)
            child.move(to: new, name: child.name)
            place(child, under: new)
        }
        return new
    }

    /// Gives a key another place, which must be free.
    func move(_ node: KeyNode, to parent: KeyNode, name: String) {
        let old = node.parent
        removeDentry(node)
        node.move(to: parent, name: name)
        place(node, under: parent)
        if let old { dropUnused(old) }
    }

    /// The key and all known keys below it.
    func subtree(of node: KeyNode) -> [KeyNode] {
        var found = [node]
        var next = 0
        while next < found.count {
            for id in childrenOf[found[next].id] ?? [] {
                if let child = byID[id] { found.append(child) }
            }
            next += 1
        }
        return found
    }

    // MARK: Kinds

    /// The kind of file that a key shows as, by its plain name.
    func kind(_ stat: KeyStat, of node: KeyNode) -> FileKind {
        if node.isRoot || stat.hasChildren || node.isStickyDirectory { return .directory }
        if !stat.value.isEmpty {
            node.emptyKind = .file
            return .file
        }
        // Only a path that is too long is none.
        return node.emptyKind ?? (try? node.path()).map(emptyKeyKind.kind) ?? .file
    }

    /// The kind of file that a name shows as, whether the key is known or not.
    ///
    /// - Parameter wasDirectory: how it showed itself; nil where that is not known.
    func kind(
        _ stat: KeyStat,
        named name: String,
        in directory: KeyNode,
        before wasDirectory: Bool? = nil
    ) -> FileKind {
        if let node = child(name, of: directory) { return kind(stat, of: node) }
        if stat.hasChildren { return .directory }
        guard stat.value.isEmpty else { return .file }
        if let wasDirectory { return wasDirectory ? .directory : .file }
        // This mount may have made it, and forgotten the rest.
        guard let path = try? directory.path(ofChild: name) else { return .file }
        return rememberedKind(at: path) ?? emptyKeyKind.kind(of: path)
    }

    /// The kind that a key shows as, if that is known without its value.
    ///
    /// - Parameter node: the key where it is known.
    func kindWithoutValue(hasChildren: Bool, _ node: KeyNode?, _ path: XenstorePath) -> FileKind? {
        if hasChildren || node?.isStickyDirectory == true { return .directory }
        let emptyKind = node.map(\.emptyKind) ?? rememberedKind(at: path)
        // With a value it is a file, and without one it is too.
        return emptyKind ?? emptyKeyKind.kind(of: path) == .file ? .file : nil
    }

    /// How an empty key shows of which this table knows nothing.
    private func rememberedKind(at path: XenstorePath) -> FileKind? { outside?.kind(path) }

    /// Remembers what empty keys were made as in the table of a transaction that was committed.
    func adoptKinds(of other: KeyTable) {
        for node in other.subtree(of: other.root) {
            guard let kind = node.emptyKind, let path = try? node.path(),
                kind != emptyKeyKind.kind(of: path)
            else { continue }
            remember(path) { $0.emptyKind = kind }
        }
    }

    /// Has something remembered of a key, whether the kernel knows it or not.
    func remember(_ path: XenstorePath, _ body: (KeyNode) -> Void) {
        var node = root
        for name in names(to: path) { node = insertChild(String(name), of: node) }
        body(node)
        dropUnused(node)
    }

    /// What is known of how a key shows itself when it is empty.
    func emptyKind(at path: XenstorePath) -> FileKind? {
        find(path).map(\.emptyKind) ?? rememberedKind(at: path)
    }

    /// Where a path leads; nil where it has nothing to do with what the mount shows.
    func place(of path: XenstorePath) -> KeyPlace? {
        let isInside = rootPath.contains(path)
        // What is above the root may have taken all of it with it.
        guard isInside || path.contains(rootPath) else { return nil }
        let names = isInside ? names(to: path) : []
        var known = [root]
        for name in names {
            guard let child = child(String(name), of: known[known.count - 1]) else { break }
            known.append(child)
        }
        return KeyPlace(path: path, names: names, known: known)
    }

    /// The known key at a path.
    func find(_ path: XenstorePath) -> KeyNode? {
        names(to: path).reduce(root as KeyNode?) { node, name in
            node.flatMap { child(String(name), of: $0) }
        }
    }

    /// Whether the mount shows a path, if there is such a key.
    func shows(_ path: XenstorePath) -> Bool { rootPath.contains(path) }

    /// The names that lead from the root to a key below it.
    func names(to path: XenstorePath) -> ArraySlice<Substring> {
        path.components.dropFirst(rootDepth)
    }

    private func place(_ node: KeyNode, under parent: KeyNode) {
        byPlace.update(with: Dentry(node: node))
        childrenOf[parent.id, default: []].insert(node.id)
        parent.childCount += 1
    }

    /// Takes a key out of its place, to be given another.
    func removeDentry(_ node: KeyNode) {
        guard let parent = node.parent else { return }
        byPlace.remove(Dentry(node: node))
        if parent.childCount == 1 {
            childrenOf[parent.id] = nil
        } else {
            childrenOf[parent.id]?.remove(node.id)
        }
        parent.childCount -= 1
        node.move(to: nil, name: node.name)
    }
}

/// Where a path leads in the table, as far as that is known.
struct KeyPlace {
    let path: XenstorePath
    /// The names from the root on.
    let names: ArraySlice<Substring>
    /// The root, and the known keys on the way from it, one below the other.
    fileprivate let known: [KeyNode]

    /// Whether the key itself is known.
    var isKnown: Bool { known.count > names.count }

    /// The key, if it is known.
    var key: KeyNode? { isKnown ? known[names.count] : nil }

    /// The directory that has the key, if it is known.
    var parent: KeyNode? {
        names.isEmpty || known.count < names.count ? nil : known[names.count - 1]
    }

    /// The known keys above the key, from the root on.
    var directories: ArraySlice<KeyNode> { known.prefix(names.count) }

    /// The next on the way after one of ``directories``, if it is known.
    func child(after index: Int) -> KeyNode? {
        index + 1 < known.count ? known[index + 1] : nil
    }
}
