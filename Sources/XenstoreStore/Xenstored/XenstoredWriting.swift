import XenstoreProtocol

/// WRITE, MKDIR, RM and SET_PERMS.
extension Store {
    func write(
        _ value: [UInt8],
        to path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        let path = try resolve(path, caller)
        guard var measure = try find(path, .write, caller)?.measure else {
            return try create(path, value: value, caller)
        }
        let growth = value.count - measure.valueBytes
        measure.valueBytes = value.count
        try checkSize(measure, caller)
        try checkMemory(of: measure.permissions.owner, growth: growth, caller)
        apply(.setValue(path, value), caller)
        notify(path, .subtree, caller)
    }

    func makeDirectory(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) {
        let path = try resolve(path, caller)
        if try find(path, .write, caller) == nil {
            try create(path, value: [], caller)
        }
    }

    /// Removes a node and all below it: who may write a node may remove it with all it holds.
    func remove(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) {
        let path = try resolve(path, caller)
        guard let node = try find(path, .write, caller) else {
            // It is gone, as was wished; but where not even the parent is, that is an error.
            guard try look(at: path.parent, caller) != nil else { throw .noEntry }
            return
        }
        guard !path.isRoot else { throw .invalid }
        _ = try look(at: path.parent, caller)
        try removeTree(node, path, caller)
    }

    func setPermissions(
        _ permissions: Permissions,
        of path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        if let limit = domains.limit(.nodePermissions, of: caller.domain),
            permissions.entries.count + 1 > limit
        {
            throw .noSpace
        }
        highest.note(.nodePermissions, permissions.entries.count + 1, of: caller.domain)
        let permissions = permissions.asKeptByXenstored
        // It has no hypervisor to ask, but these numbers are no domain's anywhere.
        guard permissions.owner < .firstReserved else { throw .noEntry }
        let path = try resolve(path, caller, allowsSpecial: true)
        var measure = try existing(path, .write, caller).measure
        let old = measure.permissions
        guard isOwner(caller.connection, of: old) else {
            // Refused for want of a right, like any other: the nodes above count as looked at.
            try noteParents(of: path, caller)
            throw .accessDenied
        }
        guard caller.isPrivileged || permissions.owner == old.owner else { throw .notPermitted }
        let oldSize = measure.size
        measure.permissions = permissions
        try checkSize(measure, caller)
        try checkMemory(of: permissions.owner, growth: measure.size - oldSize, caller)
        apply(.setPermissions(path, permissions), caller)
        notify(path, .subtree, caller, oldPermissions: old)
    }

    /// Makes a change in the caller's tree.
    func apply(_ change: Transaction.Change, _ caller: Caller) {
        if let transaction = caller.transaction {
            transaction.apply(change, clock: &clock)
        } else {
            tree.apply(change, clock: &clock)
            note(.node(change))
        }
    }

    /// Removes a node that exists and is not the root, for a caller or for the store itself.
    func removeTree(
        _ node: Node,
        _ path: StorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        if let transaction = caller.transaction {
            try noteRemoval(of: node, path, transaction, caller)
        } else {
            // Rights to hear of it are judged while the nodes are there. The C daemon tells of
            // children before their parents.
            notifyRemoval(of: node, at: path)
        }
        apply(.remove(path), caller)
    }

    /// Notes that a node goes with all below it in a transaction, which looks at each of them.
    private func noteRemoval(
        of node: Node,
        _ path: StorePath,
        _ transaction: Transaction,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        let trail = transaction.trail(to: path)
        let top = trail[trail.count - 1]
        var waiting = [(node: node, parent: trail[trail.count - 2])]
        var removed: [Int] = []
        while let next = waiting.popLast() {
            let place = transaction.place(named: next.node.name, below: next.parent)
            try access(place, next.node, transaction, caller)
            removed.append(place)
            let first = waiting.count
            next.node.children.forEach { waiting.append(($0, place)) }
            waiting[first...].reverse()
        }
        for place in removed {
            transaction.noteEvent(place, place == top ? .subtree : .exact)
        }
    }

    /// Makes a node and those above it that are missing. They have their parent's permissions, but
    /// belong to the domain that makes them, unless it is privileged.
    private func create(
        _ path: StorePath,
        value: [UInt8],
        _ caller: Caller
    ) throws(StoreErrorCode) {
        // Whoever found that it is missing has noted all that is.
        let (node, level) = tree(of: caller).deepest(to: path.parent)
        let parent = node.measure
        let missing = Array(path.names.dropFirst(level))
        var permissions = parent.permissions
        if !caller.isPrivileged { permissions.owner = caller.domain }
        try checkCreation(missing, value: value, permissions: permissions, below: parent, caller)
        apply(
            .create(path, levels: missing.count, value: value, permissions: permissions),
            caller
        )
        notify(path, .subtree, caller)
    }

    /// Checks the quotas of nodes that are to be made, each below the one before, the first below
    /// one that exists.
    private func checkCreation(
        _ missing: [String],
        value: [UInt8],
        permissions: Permissions,
        below parent: NodeMeasure,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        guard !caller.isPrivileged else { return }
        if let limit = domains.limit(.nodes, of: caller.domain),
            usage(of: caller.domain, caller).nodes + missing.count > limit
        {
            throw .noSpace
        }
        var growth = 0
        var childNameBytes = 0
        for (index, name) in missing.enumerated().reversed() {
            let node = NodeMeasure(
                permissions: permissions,
                valueBytes: index == missing.count - 1 ? value.count : 0,
                childNameBytes: childNameBytes
            )
            try checkSize(node, caller)
            let nameBytes = name.utf8.count
            growth += node.size + nameBytes
            childNameBytes = nameBytes + 1
        }
        var grown = parent
        grown.childNameBytes += childNameBytes
        try checkSize(grown, caller)
        try checkMemory(of: caller.domain, growth: growth, caller)
    }

    private func checkSize(_ node: NodeMeasure, _ caller: Caller) throws(StoreErrorCode) {
        if let limit = domains.limit(.nodeSize, of: caller.domain), node.size >= limit {
            throw .noSpace
        }
        highest.note(.nodeSize, node.size, of: caller.domain)
    }

    /// Bounds what an unprivileged caller adds to what the owner of a node takes.
    private func checkMemory(
        of owner: DomainID,
        growth: Int,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        guard growth > 0, !caller.isPrivileged, let limit = domains.limit(.memory, of: owner)
        else { return }
        let used = usage(of: owner, caller).bytes + domains[owner].besideNodes
        guard used + growth <= limit else { throw .noMemory }
    }

    /// What a domain owns as the caller sees it.
    func usage(of domain: DomainID, _ caller: Caller) -> UsageTable.Usage {
        let committed = tree.usage[domain]
        guard let transaction = caller.transaction else { return committed }
        return committed + transaction.tree.usage[domain]
    }
}
