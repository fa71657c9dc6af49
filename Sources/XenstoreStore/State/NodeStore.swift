import XenstoreProtocol

/// Filling a store from a text, and telling what it holds.
extension Store {
    /// Replaces all nodes by those of a listing, in its order; a parent that it lacks is made with
    /// its own parent's permissions. Open transactions that read anything will conflict.
    ///
    /// No event tells of it: fill a store before clients connect. Permissions of the special
    /// paths stay.
    public func replaceContents(with listing: StoreListing) {
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
        createNodesOfSpecialPaths()
    }

    /// All nodes below the root, as `xenstore-ls -fp` lists them for the privileged domain.
    public var contents: StoreListing {
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
}
