import XenstoreProtocol

/// The keys that are in use, by number and by place.
final class KeyTable {
    /// A key as its place: a dictionary of places would hold each name once more.
    private struct Placed: Hashable {
        let node: KeyNode

        static func == (first: Placed, second: Placed) -> Bool {
            first.node.parent === second.node.parent && first.node.name == second.node.name
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(node.parent?.id)
            hasher.combine(node.name)
        }
    }

    let root: KeyNode
    private var byID: [UInt64: KeyNode]
    private var byPlace: Set<Placed> = []
    /// Stands at the place that is looked for.
    private let wanted: KeyNode
    private var childrenOf: [UInt64: Set<UInt64>] = [:]
    /// 0 and 1 are the root's (see `KeyNode.inode`).
    private var nextID: UInt64 = 2
    /// How an empty key shows of which nothing is remembered.
    private let emptyView: EmptyView
    private var remembered = RememberedViews()
    /// What another table knows of a key that this one meets for the first time.
    var inheritedView: (XenstorePath) -> View? = { _ in nil }
    private let started: Timestamp

    init(root path: XenstorePath, emptyView: EmptyView, now: Timestamp) {
        self.emptyView = emptyView
        started = now
        root = KeyNode(
            id: 0,
            name: path.isRoot ? "" : path.text,
            parent: nil,
            modified: now
        )
        root.shownView = .directory
        wanted = KeyNode(id: 0, name: "", parent: nil, modified: now)
        byID = [0: root]
    }

    var count: Int { byID.count }

    /// The key and the view that the kernel's number stands for.
    func find(_ inode: InodeNumber) -> (node: KeyNode, view: View)? {
        if inode == .root { return (root, .directory) }
        if inode == root.inode(.file) { return (root, .file) }
        guard let node = byID[inode.rawValue >> 1] else { return nil }
        return (node, inode.rawValue & 1 == 1 ? .directory : .file)
    }

    /// The known key of this name.
    func child(_ name: String, of parent: KeyNode) -> KeyNode? {
        wanted.move(to: parent, name: name)
        defer { wanted.move(to: nil, name: "") }
        return byPlace.firstIndex(of: Placed(node: wanted)).map { byPlace[$0].node }
    }

    /// The key of this name, known from now on. It goes again with ``dropUnused(_:)``.
    func insertChild(_ name: String, of parent: KeyNode) -> KeyNode {
        if let known = child(name, of: parent) { return known }
        let node = KeyNode(id: nextID, name: name, parent: parent, modified: started)
        nextID += 1
        if let path = try? node.path() {
            node.viewWhenEmpty = remembered.take(path) ?? inheritedView(path)
        }
        byID[node.id] = node
        place(node, under: parent)
        return node
    }

    /// Forgets the key, and parents that only it kept, if nothing needs them.
    func dropUnused(_ node: KeyNode) {
        var next: KeyNode? = node
        while let node = next, !node.isInUse {
            // A key with a value is a file, whatever is remembered. Where its place is a
            // directory's it stays one without: these are few, with `empty=dir` they were all.
            if let view = node.viewWhenEmpty,
                view == .directory || !node.hasValue || emptyView == .known,
                let path = try? node.path(), view != emptyView.view(of: path)
            {
                remembered.insert(path, view)
            }
            next = node.parent
            displace(node)
            byID[node.id] = nil
        }
    }

    /// Takes a key's place away: it was removed, or another took its place. Who has it open keeps
    /// it.
    func detach(_ node: KeyNode) {
        guard !node.isRoot else { return }
        let parent = node.parent
        displace(node)
        node.wasToldStale = true
        if !node.isInUse { byID[node.id] = nil }
        if let parent { dropUnused(parent) }
    }

    /// Puts another key in the place of one, with the known keys below it: the kernel has no more
    /// use for the number of the old one.
    func renew(_ node: KeyNode) -> KeyNode {
        guard let parent = node.parent else { return node }
        let children = (childrenOf[node.id] ?? []).compactMap { byID[$0] }
        displace(node)
        node.wasToldStale = true
        let new = insertChild(node.name, of: parent)
        new.takeMemory(of: node)
        for child in children {
            displace(child)
            child.move(to: new, name: child.name)
            place(child, under: new)
        }
        return new
    }

    /// Gives a key another place, which must be free.
    func move(_ node: KeyNode, to parent: KeyNode, name: String) {
        let old = node.parent
        displace(node)
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

    /// What is remembered of a key that is not in use.
    func rememberedView(at path: XenstorePath) -> View? {
        remembered.view(of: path) ?? inheritedView(path)
    }

    /// Remembers what empty keys were made as in the table of a transaction that was committed.
    func adoptViews(of other: KeyTable) {
        for node in other.subtree(of: other.root) {
            guard let view = node.viewWhenEmpty, let path = try? node.path(),
                view != emptyView.view(of: path)
            else { continue }
            adopt(view, at: path)
        }
        for (path, view) in other.remembered.all {
            adopt(view, at: path)
        }
    }

    private func adopt(_ view: View, at path: XenstorePath) {
        if let node = find(path) {
            node.viewWhenEmpty = view
        } else {
            remembered.insert(path, view)
        }
    }

    /// What is known of how a key shows itself when it is empty.
    func viewWhenEmpty(at path: XenstorePath) -> View? {
        find(path).map(\.viewWhenEmpty) ?? rememberedView(at: path)
    }

    private func find(_ path: XenstorePath) -> KeyNode? {
        let depth = (try? root.path())?.components.count ?? 0
        return path.components.dropFirst(depth).reduce(root as KeyNode?) { node, name in
            node.flatMap { child(String(name), of: $0) }
        }
    }

    /// Forgets what the key at this path was: it was removed.
    func forgetView(at path: XenstorePath) {
        _ = remembered.take(path)
    }

    /// Forgets what all keys at this path and below it were: they are gone.
    func forgetViews(below path: XenstorePath) {
        remembered.removeAll(below: path)
    }

    /// Takes along what is remembered below a path that was renamed.
    func renameViews(from path: XenstorePath, to newPath: XenstorePath) {
        remembered.insertAll(remembered.takeAll(below: path), below: newPath)
    }

    /// Exchanges what is remembered below two paths.
    func exchangeViews(_ first: XenstorePath, _ second: XenstorePath) {
        let below = (remembered.takeAll(below: first), remembered.takeAll(below: second))
        remembered.insertAll(below.0, below: second)
        remembered.insertAll(below.1, below: first)
    }

    private func place(_ node: KeyNode, under parent: KeyNode) {
        byPlace.update(with: Placed(node: node))
        childrenOf[parent.id, default: []].insert(node.id)
        parent.childCount += 1
    }

    /// Takes a key out of its place, to be given another.
    func displace(_ node: KeyNode) {
        guard let parent = node.parent else { return }
        byPlace.remove(Placed(node: node))
        if parent.childCount == 1 {
            childrenOf[parent.id] = nil
        } else {
            childrenOf[parent.id]?.remove(node.id)
        }
        parent.childCount -= 1
        node.move(to: nil, name: node.name)
    }
}
