import XenstoreProtocol

/// What is in the mount beside the keys, by fixed numbers in ``FilesystemID/control``.
enum Control: UInt64 {
    /// `.txn`: a directory for each open transaction.
    case transactions = 1
    /// `.txn/.conflict`: why the last commit failed.
    case conflict = 2
    /// `.xsfs`: what the mount and its store are asked and told beside keys.
    case directory = 3
    /// `.xsfs/ctl`: takes commands.
    case commands = 4
    /// `.xsfs/status`
    case status = 5
    /// `.xsfs/log`: the lines that were logged last, and those that follow.
    case log = 6

    var inode: InodeNumber { FilesystemID.control.outer(InodeNumber(rawValue: rawValue)) }

    init?(_ inode: InodeNumber) {
        guard FilesystemID(of: inode) == .control else { return nil }
        self.init(rawValue: inode.own.rawValue)
    }

    /// The file in a transaction's root that tells what it would do.
    static let changesName = ".changes"

    /// The number of that file within the transaction's tree, which gives no other so large a one.
    static let changes = InodeNumber(rawValue: FilesystemID.ownLimit - 1)

    static let statusName = "status"

    static let logName = "log"

    /// What a transaction is renamed to.
    static let commitName = "commit"
}

extension MountedFilesystem {
    /// Whether an inode is none of a tree's own.
    func isControl(_ inode: InodeNumber) -> Bool {
        FilesystemID(of: inode) == .control || inode.own == Control.changes
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
        if directory == .root, name == ".xsfs" { return entry(Control.directory.inode) }
        if directory == Control.directory.inode {
            switch name {
            case "ctl": return entry(Control.commands.inode)
            case Control.statusName: return entry(Control.status.inode)
            case Control.logName: return entry(Control.log.inode)
            case XenstorePath.introduceDomain.text: return store.entry(ofStream: .introduceDomain)
            case XenstorePath.releaseDomain.text: return store.entry(ofStream: .releaseDomain)
            default: throw .noEntry
            }
        }
        if directory == Control.transactions.inode {
            if name == ".conflict" { return entry(Control.conflict.inode) }
            guard let transaction = transaction(named: name) else { throw .noEntry }
            return entry(of: transaction)
        }
        let fsid = FilesystemID(of: directory)
        if fsid != .store, directory.own == .root, name == Control.changesName {
            return entry(try find(fsid).id.outer(Control.changes))
        }
        guard !isControl(directory) else { throw .notDirectory }
        return nil
    }

    /// The directory of an open transaction. The kernel keeps its name: mv(1) stats what it could
    /// not rename before it says why. Whoever makes a directory asks for the name all the same.
    func entry(of transaction: TransactionFilesystem<RequestMetrics<Access>>) -> Entry {
        var entry = entry(transaction.id.outer(.root))
        entry.nameLifetime = FilesystemLimits.transactionNameSeconds
        return entry
    }

    /// Files here change by themselves: the kernel asks each time.
    private func entry(_ inode: InodeNumber) -> Entry {
        Entry(attributes: makeAttributes(inode), nameLifetime: 0)
    }

    func attributesOfControl(
        _ inode: InodeNumber,
        by caller: CallerID
    ) throws(FilesystemError) -> Attributes? {
        if let isSeen = isToBeSeenAfterFailure(inode, by: caller) {
            // Not ESTALE: the kernel would forget the name, by which the other thread comes.
            guard isSeen else { throw .noEntry }
            return makeAttributes(inode)
        }
        guard isControl(inode) else { return nil }
        if inode.own == Control.changes { _ = try find(FilesystemID(of: inode)) }
        return makeAttributes(inode)
    }

    private func makeAttributes(_ inode: InodeNumber) -> Attributes {
        let isDirectory =
            Control(inode) == .transactions || Control(inode) == .directory
            || FilesystemID(of: inode) != .control && inode.own == .root
        let userID: UInt32 =
            switch store.options.ownership {
            case .domain: 0
            case .user(let id): id
            }
        return Attributes(
            inode: inode,
            kind: isDirectory ? .directory : .file,
            mode: mode(inode, isDirectory: isDirectory) & ~store.options.umask,
            userID: userID,
            groupID: store.options.groupID,
            size: text(of: inode).count,
            modified: started,
            changed: started
        )
    }

    private func mode(_ inode: InodeNumber, isDirectory: Bool) -> UInt32 {
        isDirectory ? 0o700 : Control(inode) == .commands ? 0o600 : 0o400
    }

    /// The content of a file that is no tree's, as of now.
    private func text(of inode: InodeNumber) -> [UInt8] {
        if inode.own == Control.changes {
            return Array((transactions[FilesystemID(of: inode)]?.access.changes.text ?? "").utf8)
        }
        switch Control(inode) {
        case .conflict: return Array(lastConflict.utf8)
        case .commands: return Array(ControlLine.help.utf8)
        case .status: return lastStatus?.text ?? []
        // A stream has no size.
        case .transactions, .directory, .log, nil: return []
        }
    }

    /// Makes the content of `.xsfs/status` as of now.
    func renewStatus() {
        lastStatus = (status(), environment.elapsed())
    }

    /// The content for an opening of `.xsfs/status`: that of which the kernel has just been given
    /// the size. A program that opens the file by another descriptor has looked no name up.
    private func statusAtOpen() -> [UInt8] {
        if let lastStatus, environment.elapsed() - lastStatus.made < .seconds(1) {
            return lastStatus.text
        }
        renewStatus()
        return lastStatus?.text ?? []
    }

    func openControl(
        _ inode: InodeNumber,
        _ flags: OpenFlags
    ) throws(FilesystemError) -> HandleID {
        let file: ControlFile
        switch Control(inode) {
        case .transactions, .directory: throw .isDirectory
        case .commands:
            file = ControlFile(inode, content: text(of: inode), takesCommands: true)
        case .status:
            guard !flags.contains(.write) else { throw .accessDenied }
            file = ControlFile(inode, content: statusAtOpen())
        case .log:
            guard !flags.contains(.write) else { throw .accessDenied }
            file = try openLog()
        case .conflict, nil:
            guard !flags.contains(.write) else { throw .accessDenied }
            if inode.own == Control.changes { _ = try find(FilesystemID(of: inode)) }
            file = ControlFile(inode, content: text(of: inode))
        }
        return FilesystemID.control.outer(files.insert(file))
    }

    /// Opens `.xsfs/log`: it gives the lines that were logged last, and waits for more.
    ///
    /// - Throws: ``FilesystemError/noSpace`` where ``FilesystemLimits/streams`` are open.
    private func openLog() throws(FilesystemError) -> ControlFile {
        guard logReaders < FilesystemLimits.streams else { throw .noSpace }
        let lines = LineQueue()
        for line in environment.logTail.recent() { lines.add(line) }
        let file = ControlFile(Control.log.inode, content: [])
        file.lines = lines
        logReaders += 1
        if logReaders == 1 { environment.logTail.follow(true) }
        return file
    }

    /// Ends a file beside the keys.
    func closeControl(_ handle: HandleID) {
        guard files.remove(handle.own)?.lines != nil else { return }
        logReaders -= 1
        if logReaders == 0 { environment.logTail.follow(false) }
    }

    /// Hands a line of the log to those who read `.xsfs/log`.
    public func logged(_ line: String) {
        files.forEach { $0.lines?.add(line) }
        for handle in files.ids(where: { $0.lines != nil }) {
            environment.readable(FilesystemID.control.outer(handle))
        }
    }

    func openControlDirectory(_ inode: InodeNumber) throws(FilesystemError) -> HandleID {
        let names: [(name: String, inode: InodeNumber, kind: FileKind)]
        switch Control(inode) {
        case .directory: names = controlFiles
        case .transactions:
            let open = transactions.values.filter { !$0.hasEnded }.sorted { $0.name < $1.name }
            names = open.map { ($0.name, $0.id.outer(.root), .directory) }
        default: throw .notDirectory
        }
        let dots = [(".", inode, FileKind.directory), ("..", .root, .directory)]
        let entries = (dots + names).enumerated().map { index, listed in
            let (name, inode, kind) = listed
            return DirectoryEntry(name: name, target: .known(inode, kind), nextOffset: index + 1)
        }
        return FilesystemID.control.outer(directories.insert(entries))
    }

    /// What is in `.xsfs`.
    private var controlFiles: [(name: String, inode: InodeNumber, kind: FileKind)] {
        // The number of a stream is given when it is looked up.
        let unknown = InodeNumber(rawValue: FilesystemID.ownLimit - 2)
        return [
            ("ctl", Control.commands.inode, .file),
            (Control.logName, Control.log.inode, .file),
            (Control.statusName, Control.status.inode, .file),
            (XenstorePath.introduceDomain.text, unknown, .file),
            (XenstorePath.releaseDomain.text, unknown, .file),
        ]
    }
}
