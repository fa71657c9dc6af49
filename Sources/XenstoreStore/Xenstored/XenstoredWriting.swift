import XenstoreProtocol

/// WRITE, MKDIR, RM and SET_PERMS.
final class XenstoredWriting {
    private let access: XenstoredAccess
    private let nodes: NodeStore
    private let accounts: DomainAccounts
    private let events: XenstoredEvents

    init(_ state: StoreState, _ access: XenstoredAccess, _ events: XenstoredEvents) {
        nodes = state.nodes
        accounts = state.accounts
        self.access = access
        self.events = events
    }

    func write(
        _ value: [UInt8],
        to path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        let path = try access.resolve(path, caller)
        guard var measure = try access.find(path, .write, caller)?.measure else {
            return try create(path, value: value, caller)
        }
        let growth = value.count - measure.valueBytes
        measure.valueBytes = value.count
        try checkSize(measure, caller)
        try checkMemory(of: measure.permissions.owner, growth: growth, caller)
        nodes.apply(.setValue(path, value), caller)
        events.notify(path, .subtree, caller)
    }

    func makeDirectory(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) {
        let path = try access.resolve(path, caller)
        if try access.find(path, .write, caller) == nil {
            try create(path, value: [], caller)
        }
    }

    /// Removes a node and all below it: who may write a node may remove it with all it holds.
    func remove(_ path: XenstorePath, _ caller: Caller) throws(StoreErrorCode) {
        let path = try access.resolve(path, caller)
        guard let node = try access.find(path, .write, caller) else {
            // It is gone, as was wished; but where not even the parent is, that is an error.
            guard try access.look(at: path.parent, caller) != nil else { throw .noEntry }
            return
        }
        guard !path.isRoot else { throw .invalid }
        _ = try access.look(at: path.parent, caller)
        try removeTree(node, path, caller)
    }

    func setPermissions(
        _ permissions: Permissions,
        of path: XenstorePath,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        if let limit = accounts.limit(.nodePermissions, of: caller.domain),
            permissions.entries.count + 1 > limit
        {
            throw .noSpace
        }
        accounts.noteHighest(.nodePermissions, permissions.entries.count + 1, of: caller.domain)
        let permissions = permissions.asKeptByXenstored
        // It has no hypervisor to ask, but these numbers are no domain's anywhere.
        guard permissions.owner < .firstReserved else { throw .noEntry }
        let path = try access.resolve(path, caller, allowsSpecial: true)
        var measure = try access.existing(path, .write, caller).measure
        let old = measure.permissions
        guard access.isOwner(caller.connection, of: old) else {
            // Refused for want of a right, like any other: the nodes above count as looked at.
            try access.noteParents(of: path, caller)
            throw .accessDenied
        }
        guard caller.isPrivileged || permissions.owner == old.owner else { throw .notPermitted }
        let oldSize = measure.size
        measure.permissions = permissions
        try checkSize(measure, caller)
        try checkMemory(of: permissions.owner, growth: measure.size - oldSize, caller)
        nodes.apply(.setPermissions(path, permissions), caller)
        events.notify(path, .subtree, caller, oldPermissions: old)
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
            // Rights to hear of it are judged while the nodes are there. The C daemon sends the
            // events of children before those of their parents.
            events.notifyRemoval(of: node, at: path)
        }
        nodes.apply(.remove(path), caller)
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
            try access.access(place, next.node, transaction, caller)
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
        // The search that found it missing has noted all that is.
        let (node, level) = nodes.tree(of: caller).deepest(to: path.parent)
        let parent = node.measure
        let missing = Array(path.names.dropFirst(level))
        var permissions = parent.permissions
        if !caller.isPrivileged { permissions.owner = caller.domain }
        try checkCreation(missing, value: value, permissions: permissions, below: parent, caller)
        nodes.apply(
            .create(path, levels: missing.count, value: value, permissions: permissions),
            caller
        )
        events.notify(path, .subtree, caller)
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
        if let limit = accounts.limit(.nodes, of: caller.domain),
            nodes.usage(of: caller.domain, caller).nodes + missing.count > limit
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
        if let limit = accounts.limit(.nodeSize, of: caller.domain), node.size >= limit {
            throw .noSpace
        }
        accounts.noteHighest(.nodeSize, node.size, of: caller.domain)
    }

    /// Bounds what an unprivileged caller adds to what the owner of a node takes.
    private func checkMemory(
        of owner: DomainID,
        growth: Int,
        _ caller: Caller
    ) throws(StoreErrorCode) {
        guard growth > 0, !caller.isPrivileged, let limit = accounts.limit(.memory, of: owner)
        else { return }
        let used = nodes.usage(of: owner, caller).bytes + accounts[owner].besideNodes
        guard used + growth <= limit else { throw .noMemory }
    }
}
