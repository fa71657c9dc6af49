/// What is in the mount beside the keys, by fixed numbers in ``SpaceID/control``.
enum Control: UInt64 {
    /// `.txn`: a directory for each open transaction.
    case transactions = 1
    /// `.txn/.conflict`: why the last commit failed.
    case conflict = 2

    var inode: InodeNumber { SpaceID.control.outer(InodeNumber(rawValue: rawValue)) }

    init?(_ inode: InodeNumber) {
        guard SpaceID(of: inode) == .control else { return nil }
        self.init(rawValue: inode.own.rawValue)
    }

    /// The file in a transaction's root that tells what it would do.
    static let changesName = ".changes"

    /// The number of that file within the transaction's tree, which gives no other so large a one.
    static let changes = InodeNumber(rawValue: SpaceID.ownLimit - 1)

    /// What a transaction is renamed to.
    static let commitName = "commit"
}

extension Spaces {
    /// Whether an inode is none of a tree's own.
    func isControl(_ inode: InodeNumber) -> Bool {
        SpaceID(of: inode) == .control || inode.own == Control.changes
    }

    /// Fails where an inode is none of a tree's own: nothing of these can be changed.
    func refuseControl(_ inode: InodeNumber) throws(FilesystemError) {
        guard !isControl(inode) else { throw .notPermitted }
    }

    /// Finds a name that no tree has.
    ///
    /// - Returns: nil if it is a tree's.
    func lookupControl(
        _ name: String,
        in directory: InodeNumber
    ) throws(FilesystemError) -> Entry? {
        if directory == .root, name == ".txn" { return entry(Control.transactions.inode) }
        if directory == Control.transactions.inode {
            if name == ".conflict" { return entry(Control.conflict.inode) }
            guard let transaction = transaction(named: name) else { throw .noEntry }
            // Kept for a moment: mv(1) stats what it could not rename before it says why.
            var entry = entry(transaction.id.outer(.root))
            entry.nameLifetime = FilesystemLimits.conflictSeconds
            return entry
        }
        let space = SpaceID(of: directory)
        if space != .store, directory.own == .root, name == Control.changesName {
            return entry(try find(space).id.outer(Control.changes))
        }
        guard !isControl(directory) else { throw .notDirectory }
        return nil
    }

    /// Files here change by themselves: the kernel asks each time.
    private func entry(_ inode: InodeNumber) -> Entry {
        Entry(attributes: makeAttributes(inode), nameLifetime: 0)
    }

    func attributesOfControl(_ inode: InodeNumber) throws(FilesystemError) -> Attributes? {
        if let conflicted, inode == conflicted.space.outer(.root),
            environment.elapsed() - conflicted.since < .seconds(FilesystemLimits.conflictSeconds)
        {
            return makeAttributes(inode)
        }
        guard isControl(inode) else { return nil }
        if inode.own == Control.changes { _ = try find(SpaceID(of: inode)) }
        return makeAttributes(inode)
    }

    private func makeAttributes(_ inode: InodeNumber) -> Attributes {
        let isDirectory = inode == Control.transactions.inode || inode.own == .root
        let userID: UInt32 =
            switch store.options.ownership {
            case .domain: 0
            case .user(let id): id
            }
        return Attributes(
            inode: inode,
            view: isDirectory ? .directory : .file,
            mode: (isDirectory ? 0o700 : 0o400) & ~store.options.umask,
            userID: userID,
            groupID: store.options.groupID,
            size: text(of: inode).count,
            modified: environment.now()
        )
    }

    /// The content of a file that is no tree's, as of now.
    private func text(of inode: InodeNumber) -> [UInt8] {
        if inode.own == Control.changes {
            return Array((transactions[SpaceID(of: inode)]?.access.changes.text ?? "").utf8)
        }
        return Control(inode) == .conflict ? Array(lastConflict.utf8) : []
    }

    func openControl(
        _ inode: InodeNumber,
        _ flags: OpenFlags
    ) throws(FilesystemError) -> HandleID {
        guard Control(inode) != .transactions else { throw .isDirectory }
        guard !flags.contains(.write) else { throw .accessDenied }
        if inode.own == Control.changes { _ = try find(SpaceID(of: inode)) }
        return SpaceID.control.outer(texts.insert(text(of: inode)))
    }

    func openControlDirectory(_ inode: InodeNumber) throws(FilesystemError) -> HandleID {
        guard Control(inode) == .transactions else { throw .notDirectory }
        let open = transactions.values.filter { !$0.hasEnded }.sorted { $0.name < $1.name }
        var targets: [(name: String, inode: InodeNumber)] = [(".", inode), ("..", .root)]
        targets += open.map { ($0.name, $0.id.outer(.root)) }
        let entries = targets.enumerated().map { index, target in
            DirectoryEntry(
                name: target.name,
                target: .known(target.inode, .directory),
                nextOffset: index + 1
            )
        }
        return SpaceID.control.outer(directories.insert(entries))
    }
}
