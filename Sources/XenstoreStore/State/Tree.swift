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

    /// The node of a special path.
    func special(_ name: String) -> Node? { specials[name] }

    /// The deepest node that exists on the way to a path, and how many names lead to it.
    func deepest(to path: StorePath) -> (node: Node, level: Int) {
        guard !path.isSpecial else { return (root, 0) }
        var deepest = (node: root, level: 0)
        path.forEachName { name in
            guard let next = deepest.node.child(named: name) else { return false }
            deepest = (next, deepest.level + 1)
            return true
        }
        return deepest
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

    /// Adds a node below one that exists, and with it those between: `levels` nodes, of which the
    /// last has the value.
    mutating func create(
        _ path: StorePath,
        levels: Int = 1,
        value: [UInt8],
        permissions: Permissions,
        clock: inout GenerationClock
    ) {
        changeCount += 1
        if !isKnownUniquelyReferenced(&root) { root = root.copy() }
        var node = root
        var remaining = path.depth
        for name in path.names {
            if remaining > levels {
                guard let next = withBytes(of: name, { node.uniqueChild(named: $0) }) else {
                    preconditionFailure("adds a node to one that does not exist")
                }
                node = next
            } else {
                node = addChild(
                    name,
                    to: node,
                    value: remaining == 1 ? value : [],
                    permissions: permissions,
                    clock: &clock
                )
            }
            remaining -= 1
        }
    }

    /// Takes a node and all below it away.
    mutating func remove(_ path: StorePath, clock: inout GenerationClock) {
        removeChild(path.lastName, of: uniqueNode(at: path.parent), clock: &clock)
    }

    /// Makes a change, all checks passed.
    mutating func apply(_ change: Transaction.Change, clock: inout GenerationClock) {
        switch change {
        case .create(let path, let levels, let value, let permissions):
            create(path, levels: levels, value: value, permissions: permissions, clock: &clock)
        case .setValue(let path, let value):
            setValue(value, at: path, clock: &clock)
        case .setPermissions(let path, let permissions):
            setPermissions(permissions, at: path, clock: &clock)
        case .remove(let path):
            remove(path, clock: &clock)
        }
    }

    /// Makes the changes of a transaction that began at an earlier state, `new` being its nodes at
    /// the places of its footprint. Each place is reached from the one above it, once.
    mutating func merge(
        _ outcome: Footprint.Outcome,
        of footprint: Footprint,
        _ new: [Node?],
        clock: inout GenerationClock
    ) {
        var nodes = uniqueNodes(at: footprint)
        func node(at place: Int) -> Node {
            guard let node = nodes[place] else { preconditionFailure("changes a missing node") }
            return node
        }
        for place in outcome.removed {
            let parent = node(at: footprint.places[place].parent)
            removeChild(footprint.places[place].name, of: parent, clock: &clock)
        }
        for place in outcome.created {
            guard let made = new[place] else { preconditionFailure("makes a missing node") }
            nodes[place] = addChild(
                footprint.places[place].name,
                to: node(at: footprint.places[place].parent),
                value: made.value,
                permissions: made.permissions,
                clock: &clock
            )
        }
        for place in outcome.kept {
            guard let made = new[place] else { preconditionFailure("changes a missing node") }
            let kept = node(at: place)
            replace(kept, value: made.value, permissions: made.permissions, clock: &clock)
        }
    }

    // MARK: Nodes that no other tree holds

    /// The nodes at the places that a transaction has changed, and above them.
    private mutating func uniqueNodes(at footprint: Footprint) -> [Node?] {
        changeCount += 1
        var isNeeded = footprint.places.map(\.isChanged)
        for index in footprint.places.indices.reversed() where isNeeded[index] {
            let parent = footprint.places[index].parent
            if parent != Footprint.nothing { isNeeded[parent] = true }
        }
        var nodes = [Node?](repeating: nil, count: isNeeded.count)
        for index in isNeeded.indices where isNeeded[index] {
            let place = footprint.places[index]
            if place.parent != Footprint.nothing {
                let above = nodes[place.parent]
                nodes[index] = withBytes(of: place.name) { above?.uniqueChild(named: $0) }
            } else if index == Footprint.root {
                if !isKnownUniquelyReferenced(&root) { root = root.copy() }
                nodes[index] = root
            } else {
                specials[place.name] = specials[place.name]?.copy()
                nodes[index] = specials[place.name]
            }
        }
        return nodes
    }

    /// Adds the youngest child.
    private mutating func addChild(
        _ name: String,
        to parent: Node,
        value: [UInt8],
        permissions: Permissions,
        clock: inout GenerationClock
    ) -> Node {
        let node = Node.make(
            name: name,
            creation: clock.tick(),
            value: value,
            permissions: parent.permissions == permissions
                ? parent.sharedPermissions : SharedPermissions(permissions)
        )
        parent.changeChildren { $0.append(node) }
        parent.generation = clock.tick()
        usage.addBytes(node.nameLength + 1, of: parent.permissions.owner)
        usage.add(node)
        return node
    }

    /// Takes a child with all below it away.
    private mutating func removeChild(_ name: String, of parent: Node, clock: inout GenerationClock)
    {
        let removed = withBytes(of: name) { name in
            parent.changeChildren { $0.remove(named: name) }
        }
        parent.generation = clock.tick()
        guard let removed else { preconditionFailure("removes a node that does not exist") }
        usage.addBytes(-removed.nameLength - 1, of: parent.permissions.owner)
        Self.forEachNode(in: removed) { usage.subtract($0) }
    }

    /// Replaces what a node holds.
    private mutating func replace(
        _ node: Node,
        value: [UInt8],
        permissions: Permissions,
        clock: inout GenerationClock
    ) {
        usage.subtract(node)
        node.value = value
        if node.permissions != permissions {
            node.sharedPermissions = SharedPermissions(permissions)
        }
        node.generation = clock.tick()
        usage.add(node)
    }

    /// The marked nodes, which have all nodes above them marked, too: those that no other tree
    /// holds, parents first.
    private mutating func forEachUniqueNode(
        in marked: Set<ObjectIdentifier>,
        _ body: (inout UsageTable, Node) -> Void
    ) {
        guard marked.contains(ObjectIdentifier(root)) else { return }
        changeCount += 1
        if !isKnownUniquelyReferenced(&root) { root = root.copy() }
        var waiting = [root]
        while let node = waiting.popLast() {
            var names: [String] = []
            // Before any of them is copied: a copy is another object.
            node.children.forEach { child in
                if marked.contains(ObjectIdentifier(child)) { names.append(child.name) }
            }
            body(&usage, node)
            for name in names {
                guard let child = withBytes(of: name, { node.uniqueChild(named: $0) }) else {
                    continue
                }
                waiting.append(child)
            }
        }
    }

    /// Takes the entries of a domain out of the permissions of all nodes. Nobody is told, and
    /// generations stay: to the domains that remain nothing changes.
    mutating func removeEntries(of domain: DomainID) {
        func names(_ node: Node) -> Bool {
            node.permissions.entries.contains { $0.domain == domain }
        }
        func strip(_ usage: inout UsageTable, _ node: Node) {
            guard names(node) else { return }
            usage.subtract(node)
            var permissions = node.permissions
            permissions.entries.removeAll { $0.domain == domain }
            node.sharedPermissions = SharedPermissions(permissions)
            usage.add(node)
        }
        for (name, node) in specials where names(node) {
            let copy = node.copy()
            strip(&usage, copy)
            specials[name] = copy
            changeCount += 1
        }
        forEachUniqueNode(in: Self.nodesAndAbove(in: root, where: names), strip)
    }

    /// The nodes for which something is true, and all above them.
    private static func nodesAndAbove(
        in root: Node,
        where isWanted: (Node) -> Bool
    ) -> Set<ObjectIdentifier> {
        var walk: [(node: Node, parent: Int)] = [(root, Footprint.nothing)]
        var next = 0
        while next < walk.count {
            walk[next].node.children.forEach { walk.append(($0, next)) }
            next += 1
        }
        var found: Set<ObjectIdentifier> = []
        var isNeeded = walk.map { isWanted($0.node) }
        for index in walk.indices.reversed() where isNeeded[index] {
            found.insert(ObjectIdentifier(walk[index].node))
            if walk[index].parent != Footprint.nothing { isNeeded[walk[index].parent] = true }
        }
        return found
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
