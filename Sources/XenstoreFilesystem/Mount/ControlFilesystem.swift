import XenstoreProtocol

/// `.txn` and `.xsfs`: what is in the mount beside the keys.
final class ControlFilesystem<Access: XenstoreAccess>: FixedFilesystem {
    private let access: RequestMetrics<Access>
    private let store: Filesystem<RequestMetrics<Access>>
    private let transactions: TransactionTable<Access>
    private let status: StatusFile<Access>
    /// When the mount began: the time of all that is no key's.
    private let started: Timestamp
    private var files = HandleTable<ControlFile>(of: .control)
    private var directories = HandleTable<[DirectoryEntry]>(of: .control)
    /// How many have `.xsfs/log` open.
    private var logReaders = 0

    init(
        _ access: RequestMetrics<Access>,
        of store: Filesystem<RequestMetrics<Access>>,
        _ transactions: TransactionTable<Access>,
        _ status: StatusFile<Access>
    ) {
        self.access = access
        self.store = store
        self.transactions = transactions
        self.status = status
        started = store.environment.now()
    }

    // MARK: Names

    /// Finds a name, also one for which ``Control/hasName(_:in:)`` is true.
    func lookup(
        _ name: String,
        in directory: InodeNumber,
        by caller: CallerID
    ) throws(FilesystemError) -> Entry {
        switch Control(directory) {
        case .transactions:
            if name == Control.conflictName { return entry(.conflict) }
            guard let transaction = transactions.find(name) else { throw .noEntry }
            return entry(ofTransaction: transaction.id.root)
        case .directory: return try lookupInDirectory(name)
        case nil where name == Control.changesName:
            return entry(.changes(of: try transactions.find(FilesystemID(of: directory)).id))
        case nil: return entry(name == Control.transactionsName ? .transactions : .directory)
        default: throw .notDirectory
        }
    }

    private func lookupInDirectory(_ name: String) throws(FilesystemError) -> Entry {
        switch name {
        case Control.commandsName: return entry(.commands)
        case Control.statusName:
            status.renew()
            return entry(.status)
        case Control.logName: return entry(.log)
        case XenstorePath.introduceDomain.text: return store.entry(ofStream: .introduceDomain)
        case XenstorePath.releaseDomain.text: return store.entry(ofStream: .releaseDomain)
        default: throw .noEntry
        }
    }

    /// Files here change by themselves: the kernel asks each time.
    private func entry(_ control: Control) -> Entry {
        Entry(attributes: attributes(of: control), nameLifetime: 0)
    }

    /// The directory of an open transaction, without a look at it: C xenstored would count that as
    /// something it rests on. The kernel keeps its name: mv(1) stats what it could not rename
    /// before it says why. Whoever makes a directory asks for the name all the same.
    private func entry(ofTransaction root: InodeNumber) -> Entry {
        Entry(
            attributes: attributes(ofDirectory: root),
            nameLifetime: FilesystemLimits.transactionNameSeconds
        )
    }

    func makeDirectory(
        _ name: String,
        in directory: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> Entry {
        guard Control(directory) == .transactions else { throw .notPermitted }
        return entry(ofTransaction: try await transactions.begin(name, by: caller))
    }

    func removeDirectory(_ name: String, in directory: InodeNumber) throws(FilesystemError) {
        guard Control(directory) == .transactions else { throw .notPermitted }
        try transactions.abort(name)
    }

    func rename(
        _ name: String,
        in directory: InodeNumber,
        to newName: String,
        in newDirectory: InodeNumber,
        _ mode: RenameMode,
        by caller: CallerID
    ) async throws(FilesystemError) {
        guard Control(directory) == .transactions, newDirectory == directory else {
            throw .notPermitted
        }
        try await transactions.rename(name, to: newName, mode, by: caller)
    }

    // MARK: Attributes

    /// Answers for the root of the mount, too, while the store does not, and for the directory of a
    /// transaction whose commit has failed.
    func attributesFromMemory(
        of inode: InodeNumber,
        handle: HandleID?,
        by caller: CallerID
    ) throws(FilesystemError) -> Attributes? {
        if inode == .root { return store.seenAttributesOfRoot }
        guard let control = Control(inode) else {
            guard transactions.hasFailed(inode) else { throw .stale }
            // Not ESTALE: the kernel would forget the name, by which the other thread comes.
            guard transactions.takeFailed(inode, by: caller) else { throw .noEntry }
            return attributes(ofDirectory: inode)
        }
        if case .changes(let transaction) = control { _ = try transactions.find(transaction) }
        var attributes = attributes(of: control)
        if let handle, let file = try? files.find(handle) { attributes.size = file.content.count }
        return attributes
    }

    func attributesFromStore(
        of inode: InodeNumber,
        handle: HandleID?,
        by caller: CallerID
    ) throws(FilesystemError) -> Attributes {
        guard let known = try attributesFromMemory(of: inode, handle: handle, by: caller) else {
            throw .stale
        }
        return known
    }

    func requireAccess(_ rights: AccessRights, to inode: InodeNumber) throws(FilesystemError) {
        let attributes = try attributesFromStore(of: inode, handle: nil, by: .nobody)
        try rights.require(ofOwnerIn: attributes.mode)
    }

    private func attributes(of control: Control) -> Attributes {
        var attributes = attributes(ofDirectory: control.inode)
        if !control.isDirectory { attributes.kind = .file }
        attributes.mode = control.mode & ~store.options.umask
        attributes.size = size(of: control)
        return attributes
    }

    private func attributes(ofDirectory inode: InodeNumber) -> Attributes {
        let userID: UInt32 =
            switch store.options.ownership {
            case .domain: 0
            case .user(let id): id
            }
        return Attributes(
            inode: inode,
            kind: .directory,
            mode: 0o700 & ~store.options.umask,
            userID: userID,
            groupID: store.options.groupID,
            size: 0,
            modified: started,
            changed: started
        )
    }

    private func size(of control: Control) -> Int {
        control == .status ? status.size : text(of: control).count
    }

    /// The content of a file as of now. A stream has none, nor has a directory.
    private func text(of control: Control) -> [UInt8] {
        switch control {
        case .changes(let transaction):
            Array((transactions[transaction]?.access.changes.text ?? "").utf8)
        case .conflict: Array(transactions.lastConflict.utf8)
        case .commands: Array(ControlLine.help.utf8)
        case .status, .transactions, .directory, .log: []
        }
    }

    // MARK: Open files

    func openFromStore(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) throws(FilesystemError) -> HandleID {
        guard let control = Control(inode) else { throw .stale }
        guard !control.isDirectory else { throw .isDirectory }
        guard control == .commands || !flags.contains(.write) else { throw .accessDenied }
        switch control {
        case .log: return try openLog()
        case .status: return files.insert(ControlFile(control, content: status.contentAtOpen()))
        case .changes(let transaction): _ = try transactions.find(transaction)
        default: break
        }
        return files.insert(
            ControlFile(control, content: text(of: control), takesCommands: control == .commands)
        )
    }

    /// Opens `.xsfs/log`: it gives the lines that were logged last, and waits for more.
    ///
    /// - Throws: ``FilesystemError/noSpace`` where ``FilesystemLimits/streams`` are open.
    private func openLog() throws(FilesystemError) -> HandleID {
        guard logReaders < FilesystemLimits.streams else { throw .noSpace }
        let lines = LineQueue()
        let logTail = store.environment.logTail
        for line in logTail.recent() { lines.add(line) }
        logReaders += 1
        if logReaders == 1 { logTail.follow(true) }
        return files.insert(ControlFile(.log, lines: lines))
    }

    func releaseFromMemory(_ handle: HandleID) -> Bool {
        guard files.remove(handle)?.lines != nil else { return true }
        logReaders -= 1
        if logReaders == 0 { store.environment.logTail.follow(false) }
        return true
    }

    func read(_ handle: HandleID, offset: Int, count: Int) throws(FilesystemError)
        -> ArraySlice<UInt8>
    {
        try files.find(handle).content.part(offset: offset, count: count)
    }

    /// Carries out one command of `.xsfs/ctl`. Its reply, or why there is none, is read from the
    /// same handle.
    func write(
        _ bytes: [UInt8],
        to handle: HandleID,
        offset: Int
    ) async throws(FilesystemError) {
        let file = try files.find(handle)
        guard file.takesCommands else { throw .badHandle }
        let command: ControlLine
        do throws(ControlLine.Malformed) {
            command = try ControlLine(String(decoding: bytes, as: UTF8.self))
        } catch {
            file.reply(Array("\(error.reason)\n".utf8))
            throw .invalid
        }
        if !command.request.isReadOnly { try store.requireWritable() }
        do throws(XenstoreError) {
            let reply = try await access.sendWithAnother(command.request)
            if case .resetWatches = command.request {
                // The mount's own are gone too, and so are its transactions.
                transactions.loseAll()
                await store.connected()
            }
            file.reply(command.text(of: reply))
        } catch {
            file.reply(Array("\(error)\n".utf8))
            throw FilesystemError(error)
        }
    }

    // MARK: Streams

    func isStream(_ handle: HandleID) -> Bool {
        guard let file = try? files.find(handle) else { return false }
        return file.takesCommands || file.lines != nil
    }

    /// Whether a handle is that of `.xsfs/log`.
    func isLog(_ handle: HandleID) -> Bool { (try? files.find(handle))?.lines != nil }

    func isReadable(_ handle: HandleID) -> Bool {
        (try? files.find(handle))?.lines?.isReadable ?? true
    }

    func readStream(
        _ handle: HandleID,
        count: Int,
        waits: Bool
    ) async throws(FilesystemError) -> ArraySlice<UInt8> {
        let file = try files.find(handle)
        guard let lines = file.lines else { return file.take(count) }
        return try await lines.read(count, waits: waits)
    }

    func endStreams() {
        for handle in files.ids(where: { $0.lines != nil }) {
            (try? files.find(handle))?.lines?.end()
            store.environment.readable(handle)
        }
    }

    /// Hands a line of the log to those who read `.xsfs/log`.
    func logged(_ line: String) {
        files.forEach { $0.lines?.add(line) }
        for handle in files.ids(where: { $0.lines != nil }) { store.environment.readable(handle) }
    }

    // MARK: Directories

    func openDirectory(
        _ inode: InodeNumber,
        by caller: CallerID
    ) throws(FilesystemError) -> HandleID {
        let names: [(name: String, inode: InodeNumber, kind: FileKind)]
        switch Control(inode) {
        case .directory: names = filesOfDirectory
        case .transactions: names = transactions.listed.map { ($0.name, $0.root, .directory) }
        case nil: throw .stale
        default: throw .notDirectory
        }
        let dots = [(".", inode, FileKind.directory), ("..", .root, .directory)]
        let entries = (dots + names).enumerated().map { index, listed in
            let (name, inode, kind) = listed
            return DirectoryEntry(name: name, target: .known(inode, kind), nextOffset: index + 1)
        }
        return directories.insert(entries)
    }

    /// What is in `.xsfs`.
    private var filesOfDirectory: [(name: String, inode: InodeNumber, kind: FileKind)] {
        // The number of a stream is given when it is looked up.
        let unknown = InodeNumber(rawValue: FilesystemID.control.base - 2)
        return [
            (Control.commandsName, Control.commands.inode, .file),
            (Control.logName, Control.log.inode, .file),
            (Control.statusName, Control.status.inode, .file),
            (XenstorePath.introduceDomain.text, unknown, .file),
            (XenstorePath.releaseDomain.text, unknown, .file),
        ]
    }

    func list(
        _ handle: HandleID,
        offset: Int,
        fits: (_ name: String) -> Bool
    ) throws(FilesystemError) -> [DirectoryEntry] {
        Array(try directories.find(handle).dropFirst(offset).prefix { fits($0.name) })
    }

    func releaseDirectory(_ handle: HandleID) { _ = directories.remove(handle) }

    // MARK: Paths

    func path(of handle: HandleID) -> String {
        (try? files.find(handle)).map { path(of: $0.inode) } ?? "?"
    }

    func path(ofDirectory handle: HandleID) -> String {
        // The first of the names is that of the directory itself.
        guard case .known(let inode, _)? = (try? directories.find(handle))?.first?.target else {
            return "?"
        }
        return path(of: inode)
    }

    func path(of inode: InodeNumber) -> String {
        switch Control(inode) {
        case .transactions: "/.txn"
        case .conflict: "/.txn/.conflict"
        case .directory: "/.xsfs"
        case .commands: "/.xsfs/ctl"
        case .status: "/.xsfs/status"
        case .log: "/.xsfs/log"
        case .changes(let transaction): "\(transactions.path(of: transaction))/.changes"
        case nil: "?"
        }
    }
}
