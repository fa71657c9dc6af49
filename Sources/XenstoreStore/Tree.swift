import XenstoreProtocol

/// A tree of nodes with the two special ones, and what each domain owns of it.
///
/// A value in O(1): a copy shares all nodes, and a change copies the nodes on the path to it that
/// others hold. All methods but the lookups presuppose that the caller has checked everything.
struct Tree {
    private(set) var root: Node
    /// The nodes that stand for special watch paths: they have permissions alone.
    private var specials: [String: Node]
    /// What each domain owns; in a transaction, by how much that differs from its beginning.
    private(set) var usage: UsageTable
    /// Counts the changes, so that a tree that has not changed is recognised.
    private(set) var changeCount: UInt64 = 0

    init(clock: inout GenerationClock) {
        let permissions = SharedPermissions(Permissions(owner: .privileged))
        root = Node.make(name: "", creation: clock.tick(), value: [], permissions: permissions)
        specials = [:]
        usage = UsageTable()
        usage.add(root)
        for path in [StorePath.introduceDomain, .releaseDomain] {
            let node = Node.make(
                name: path.text,
                creation: clock.tick(),
                value: [],
                permissions: permissions
            )
            specials[path.text] = node
            usage.add(node)
        }
    }

    /// A tree for a transaction: the same nodes, and usage counted from zero.
    func snapshot() -> Tree {
        var copy = self
        copy.usage = UsageTable()
        return copy
    }

    /// Becomes the tree of a transaction that began at this very state.
    mutating func adopt(_ other: Tree) {
        root = other.root
        specials = other.specials
        usage.merge(other.usage)
        changeCount += 1
    }

    /// Takes the nodes and their usage from a tree made anew, but for the special ones.
    mutating func replaceRoot(with other: Tree) {
        root = other.root
        usage = other.usage
        for path in [StorePath.introduceDomain, .releaseDomain] {
            if let made = other.specials[path.text] { usage.subtract(made) }
            if let kept = specials[path.text] { usage.add(kept) }
        }
        changeCount += 1
    }

    /// The node at a path.
    func node(at path: StorePath) -> Node? {
        if path.isSpecial { return specials[path.text] }
        var found: Node? = root
        path.forEachName { name in
            found = found?.child(named: name)
            return found != nil
        }
        return found
    }

    /// The node at a path, for changing it: no other tree holds it. Whoever looked it up before
    /// must have let go of it, or it is copied for nothing, with the table of its children.
    private mutating func uniqueNode(at path: StorePath) -> Node {
        changeCount += 1
        if path.isSpecial {
            guard let node = specials[path.text]?.copy() else {
                preconditionFailure("changes a special node that does not exist")
            }
            specials[path.text] = node
            return node
        }
        if !isKnownUniquelyReferenced(&root) { root = root.copy() }
        var node = root
        path.forEachName { name in
            guard let child = node.uniqueChild(named: name) else {
                preconditionFailure("changes a node that does not exist")
            }
            node = child
            return true
        }
        return node
    }

    /// Sets a node's value.
    mutating func setValue(_ value: [UInt8], at path: StorePath, clock: inout GenerationClock) {
        let node = uniqueNode(at: path)
        usage.addBytes(value.count - node.valueLength, of: node.permissions.owner)
        node.value = value
        node.generation = clock.tick()
    }

    /// Replaces a node's permissions.
    mutating func setPermissions(
        _ permissions: Permissions,
        at path: StorePath,
        clock: inout GenerationClock
    ) {
        let node = uniqueNode(at: path)
        usage.subtract(node)
        node.sharedPermissions = SharedPermissions(permissions)
        node.generation = clock.tick()
        usage.add(node)
    }

    /// Adds a node, the youngest child of one that exists.
    mutating func create(
        _ path: StorePath,
        value: [UInt8],
        permissions: Permissions,
        clock: inout GenerationClock
    ) {
        let parent = uniqueNode(at: path.parent)
        let node = Node.make(
            name: path.lastName,
            creation: clock.tick(),
            value: value,
            permissions: parent.permissions == permissions
                ? parent.sharedPermissions : SharedPermissions(permissions)
        )
        parent.changeChildren { $0.append(node) }
        parent.generation = clock.tick()
        usage.addBytes(node.nameLength + 1, of: parent.permissions.owner)
        usage.add(node)
    }

    /// Takes a node and all below it away.
    mutating func remove(_ path: StorePath, clock: inout GenerationClock) {
        let parent = uniqueNode(at: path.parent)
        let removed = withBytes(of: path.lastName) { name in
            parent.changeChildren { $0.remove(named: name) }
        }
        parent.generation = clock.tick()
        guard let removed else { preconditionFailure("removes a node that does not exist") }
        usage.addBytes(-removed.nameLength - 1, of: parent.permissions.owner)
        Self.forEachNode(in: removed) { usage.subtract($0) }
    }

    /// Takes the entries of a domain out of the permissions of all nodes. Nobody is told, and
    /// generations stay: to the domains that remain nothing changes.
    mutating func removeEntries(of domain: DomainID) {
        var paths = specials.keys.map { StorePath(text: $0) }
        Self.forEachPath(in: root, at: .root) { path, node in
            if node.permissions.entries.contains(where: { $0.domain == domain }) {
                paths.append(path)
            }
            return true
        }
        for path in paths {
            let node = uniqueNode(at: path)
            usage.subtract(node)
            var permissions = node.permissions
            permissions.entries.removeAll { $0.domain == domain }
            node.sharedPermissions = SharedPermissions(permissions)
            usage.add(node)
        }
    }

    /// Makes a node and those above it others than they were, without changing what they hold.
    mutating func touch(_ path: StorePath) {
        _ = uniqueNode(at: path)
    }

    /// The paths of a domain's nodes, but for those below others of them. The root counts as
    /// nobody's.
    func highestPaths(ownedBy domain: DomainID) -> [StorePath] {
        var paths: [StorePath] = []
        Self.forEachPath(in: root, at: .root) { path, node in
            guard node.permissions.owner == domain, !path.isRoot else { return true }
            paths.append(path)
            return false
        }
        return paths
    }

    /// Visits a node and all below it. Depth costs no stack.
    static func forEachNode(in node: Node, _ body: (Node) -> Void) {
        var waiting = [node]
        while let next = waiting.popLast() {
            body(next)
            next.children.forEach { waiting.append($0) }
        }
    }

    /// Visits a node and those below it with their paths, parents first and siblings in order,
    /// and goes below those only for which `body` returns true.
    static func forEachPath(
        in node: Node,
        at path: StorePath,
        _ body: (StorePath, Node) -> Bool
    ) {
        var waiting = [(path, node)]
        while let (path, node) = waiting.popLast() {
            guard body(path, node) else { continue }
            let first = waiting.count
            node.children.forEach { waiting.append((path.appending($0.name), $0)) }
            waiting[first...].reverse()
        }
    }
}

/// Gives each change of a node a number of its own.
struct GenerationClock {
    private var last: UInt64 = 0

    mutating func tick() -> UInt64 {
        last += 1
        return last
    }
}
