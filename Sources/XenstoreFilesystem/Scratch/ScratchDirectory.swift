import XenstoreProtocol

/// A directory that is no key: `rsync --delay-updates` gathers new files in one beside those that
/// they are to replace. What is in it are scratch files, whatever their names.
final class ScratchDirectory {
    /// rsync's. A tree that is copied may have directories with other names that no key can have:
    /// what is in those would be lost.
    static let name = ".~tmp~"

    /// Stands for it where files have their place. It has none itself, and so no path.
    let node: KeyNode
    /// What a key made beside it inherits.
    let inherited: Permissions
    var modified: Timestamp
    var inode: InodeNumber { node.inode(.directory) }

    /// - Parameter inode: an odd number, as a directory's.
    init(inode: InodeNumber, inherited: Permissions, modified: Timestamp) {
        node = KeyNode(id: inode.rawValue >> 1, name: Self.name, parent: nil)
        node.handleCount = 1
        self.inherited = inherited
        self.modified = modified
    }
}

extension Filesystem {
    /// The answer to a name in a directory that no key has.
    func scratchEntry(_ name: String, in directory: KeyNode) -> Entry? {
        if let file = scratch.find(name, in: directory) { return entry(file) }
        guard name == ScratchDirectory.name, let made = scratch.directory(in: directory) else {
            return nil
        }
        return Entry(attributes: attributes(of: made), nameLifetime: 0)
    }

    func attributes(of directory: ScratchDirectory) -> Attributes {
        Attributes(
            inode: directory.inode,
            kind: .directory,
            mode: 0o700 & ~options.umask,
            userID: options.userID(of: directory.inherited),
            groupID: options.groupID,
            size: 0,
            modified: directory.modified,
            changed: directory.modified
        )
    }

    /// Its times can be set, and nothing else.
    func setAttributes(
        _ changes: AttributeChanges,
        of directory: ScratchDirectory
    ) throws(FilesystemError) -> Attributes {
        let shown = attributes(of: directory)
        guard changes.mode ?? shown.mode == shown.mode,
            changes.userID ?? shown.userID == shown.userID,
            changes.groupID ?? shown.groupID == shown.groupID
        else { throw .notPermitted }
        if let modified = changes.modified { directory.modified = modified }
        return attributes(of: directory)
    }

    /// - Parameter parent: a key's directory.
    func makeScratchDirectory(in parent: KeyNode) async throws(FilesystemError) -> Entry {
        let stat = try await reader.stat(of: parent.path(), node: parent)
        let now = environment.now()
        let made = try scratch.makeDirectory(in: parent, inherited: stat.permissions, now: now)
        timestamps.changedList(of: parent)
        kernelCache.revokeInMemory(parent)
        return Entry(attributes: attributes(of: made), nameLifetime: 0)
    }

    func removeScratchDirectory(in parent: KeyNode) throws(FilesystemError) {
        guard let made = scratch.directory(in: parent) else { throw .noEntry }
        guard scratch.names(in: made.node).isEmpty else { throw .notEmpty }
        scratch.removeDirectory(in: parent)
        timestamps.changedList(of: parent)
        kernelCache.revokeInMemory(parent)
    }

    func listing(of directory: ScratchDirectory) -> Listing {
        Listing(
            names: scratch.names(in: directory.node),
            stat: KeyStat(empty: directory.inherited),
            children: [:]
        )
    }
}
