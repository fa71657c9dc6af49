import XenstoreProtocol

/// The nodes of the store: its tree, the clock of their generations, and how both change.
///
/// Each change of the store's own tree is noted in the journal; those that are made again from a
/// journal, or from a listing, are not.
final class NodeStore {
    private(set) var tree: Tree
    private var clock = GenerationClock()
    private let traits: StoreState.Traits
    private let journal: Journal

    init(_ traits: StoreState.Traits, journal: Journal) {
        self.traits = traits
        self.journal = journal
        tree = Tree(clock: &clock)
        for path in traits.firstNodes { create(path) }
        createPermanent()
    }

    private func createPermanent() {
        for path in traits.permanentNodes where tree.node(at: path) == nil { create(path) }
    }

    private func create(_ path: StorePath) {
        tree.create(
            path,
            value: [],
            permissions: Permissions(owner: .privileged),
            clock: &clock
        )
    }

    // MARK: What a caller sees

    /// The tree that a caller's requests act on.
    func tree(of caller: Caller) -> Tree { caller.transaction?.tree ?? tree }

    /// What a domain owns as the caller sees it.
    func usage(of domain: DomainID, _ caller: Caller) -> UsageTable.Usage {
        let committed = tree.usage[domain]
        guard let transaction = caller.transaction else { return committed }
        return committed + transaction.tree.usage[domain]
    }

    // MARK: Changes

    /// Makes a change in the caller's tree.
    func apply(_ change: Transaction.Change, _ caller: Caller) {
        if let transaction = caller.transaction {
            transaction.apply(change, clock: &clock)
        } else {
            apply(change)
        }
    }

    /// Makes a change in the store's tree.
    func apply(_ change: Transaction.Change) {
        tree.apply(change, clock: &clock)
        journal.note(.node(change))
    }

    /// Makes a node of the caller's tree and those above it others than they were; they hold the
    /// same.
    func touch(_ path: StorePath, _ caller: Caller) {
        if let transaction = caller.transaction {
            transaction.touch(path)
        } else {
            touch(path)
        }
    }

    /// Makes a node of the store's tree and those above it others than they were; they hold the
    /// same.
    func touch(_ path: StorePath) { tree.touch(path) }

    /// Takes the entries of a domain out of the permissions of all nodes. Nothing is noted of it:
    /// the journal has an entry for all that follows when a domain is forgotten.
    func removeEntries(of domain: DomainID) { tree.removeEntries(of: domain) }

    // MARK: Transactions

    /// Whether nothing at all has changed since a transaction began.
    func isUnchanged(since transaction: Transaction) -> Bool {
        tree.changeCount == transaction.start
    }

    /// Makes the changes of a transaction those of the store.
    func takeOver(_ transaction: Transaction, isUnchanged: Bool) {
        let footprint = transaction.footprint
        guard journal.isKept || !isUnchanged else { return tree.adopt(transaction.tree) }
        let new = footprint.nodes(in: transaction.tree)
        let outcome = noteOutcome(of: footprint, from: footprint.nodes(in: tree), to: new)
        if isUnchanged {
            tree.adopt(transaction.tree)
        } else {
            tree.merge(outcome, of: footprint, new, clock: &clock)
        }
    }

    /// Finds out what leads from one tree to another, and notes it.
    private func noteOutcome(
        of footprint: Footprint,
        from old: [Node?],
        to new: [Node?]
    ) -> Footprint.Outcome {
        let outcome = footprint.outcome(from: old, to: new)
        guard journal.isKept else { return outcome }
        for place in outcome.removed { journal.note(.node(.remove(footprint.path(of: place)))) }
        noteCreations(outcome.created, of: footprint, new)
        var bytes = FootprintPath(footprint)
        for place in outcome.kept {
            guard let was = old[place], let node = new[place] else { continue }
            bytes.move(to: place, in: footprint)
            let path = StorePath(text: String(decoding: bytes.bytes, as: UTF8.self))
            if was.value != node.value { journal.note(.node(.setValue(path, node.value))) }
            if was.permissions != node.permissions {
                journal.note(.node(.setPermissions(path, node.permissions)))
            }
        }
        return outcome
    }

    /// Notes nodes that come, most of them by their names alone.
    private func noteCreations(_ created: [Int], of footprint: Footprint, _ new: [Node?]) {
        let lengths = footprint.pathLengths
        var last: Int?
        for place in created {
            guard let node = new[place] else { continue }
            let parent = footprint.places[place].parent
            if let last, footprint.isNear(parent, above: last) {
                journal.noteCreation(
                    of: footprint.places[place].name,
                    below: lengths[parent],
                    value: node.value,
                    permissions: node.permissions
                )
            } else {
                let path = footprint.path(of: place)
                let permissions = node.permissions
                journal.note(
                    .node(
                        .create(path, levels: 1, value: node.value, permissions: permissions)
                    )
                )
            }
            last = place
        }
    }

    // MARK: Filling and listing

    /// Replaces all nodes by those of a listing, in its order. Permissions of the special paths
    /// stay.
    func replaceContents(with listing: StoreListing) {
        var filled = Tree(clock: &clock)
        for entry in listing.entries {
            let path = StorePath(entry.path, from: .privileged)
            let (above, level) = filled.deepest(to: path)
            if level < path.depth {
                filled.create(
                    path,
                    levels: path.depth - level,
                    value: [],
                    permissions: above.permissions,
                    clock: &clock
                )
            }
            filled.setValue(entry.value, at: path, clock: &clock)
            if let permissions = entry.permissions {
                filled.setPermissions(permissions, at: path, clock: &clock)
            }
        }
        tree.replaceRoot(with: filled)
        createPermanent()
    }

    /// All nodes below the root.
    var contents: StoreListing {
        var entries: [StoreListing.Entry] = []
        Tree.forEachPath(in: tree.root, at: .root) { path, node in
            guard !path.isRoot, let path = try? XenstorePath(path.text) else { return true }
            entries.append(
                StoreListing.Entry(
                    path: path,
                    value: node.value,
                    permissions: node.permissions
                )
            )
            return true
        }
        return StoreListing(entries: entries)
    }

    /// Whether what is counted along the way is what a walk counts.
    var isConsistent: Bool {
        var count = 2
        Tree.forEachNode(in: tree.root) { _ in count += 1 }
        return count == tree.usage.nodeCount
    }

    // MARK: What is kept beyond the process

    /// Takes over the nodes of another store.
    func become(_ other: NodeStore) {
        tree = other.tree
        clock = other.clock
    }

    /// Has nothing any more but the root and the special nodes.
    func clear() { tree = Tree(clock: &clock) }

    /// Makes a change of a journal again. Nothing is noted of it.
    func replay(_ change: Transaction.Change) { tree.apply(change, clock: &clock) }
}
