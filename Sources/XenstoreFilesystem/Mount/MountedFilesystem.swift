public import XenstoreProtocol

/// All that is mounted: the store, `.txn` and `.xsfs` beside it, and each open transaction.
///
/// Each is a filesystem of its own; here is only whose a number is. Belongs to one thread.
public final class MountedFilesystem<Access: XenstoreAccess>: MountOperations {
    private let access: RequestMetrics<Access>
    private let store: Filesystem<RequestMetrics<Access>>
    public let storeFilesystem: any FilesystemOperations
    public let inotifyReplay: any InotifyReplayOperations
    private let transactions: TransactionTable<Access>
    private let status: StatusFile<Access>
    private let control: ControlFilesystem<Access>

    /// - Parameter transactionTimeout: how long a directory in `.txn` may stay open; nil where that
    ///   is for ever.
    public init(
        _ access: Access,
        options: FilesystemOptions = FilesystemOptions(),
        transactionTimeout: Duration? = nil,
        environment: FilesystemEnvironment
    ) {
        let access = RequestMetrics(
            access,
            elapsed: environment.elapsed,
            logs: environment.logs
        )
        self.access = access
        store = Filesystem(access, options: options, environment: environment)
        storeFilesystem = store
        inotifyReplay = store.inotifyReplay
        transactions = TransactionTable(access, of: store, timeout: transactionTimeout)
        status = StatusFile(access, of: store, transactions)
        control = ControlFilesystem(access, of: store, transactions, status)
    }

    // MARK: The store's news

    /// The token of the watch that keeps names, shapes and permissions true.
    public var watchToken: [UInt8] { store.watchToken }

    /// A connection is there.
    public func connected() async {
        status.connected()
        await store.connected()
        await status.askFeatures()
    }

    /// The connection is lost, and with it all transactions.
    public func disconnected() {
        status.disconnected()
        store.disconnected()
        transactions.loseAll()
    }

    /// Takes the event of a watch.
    public func changed(_ path: XenstorePath) {
        transactions.noteChange(of: path)
        store.changed(path)
    }

    /// Hands a line of the log to those who read `.xsfs/log`.
    public func logged(_ line: String) { control.logged(line) }

    public func endStreams() {
        store.endStreams()
        control.endStreams()
    }

    /// The store as another client would see it that works in the same open transaction.
    package func transactionAccess(named name: String) -> (any XenstoreAccess)? {
        transactions.find(name)?.access
    }

    // MARK: Whose a request is

    public func filesystem(
        for operation: KernelOperation,
        on subject: RequestSubject,
        byAgent isAgent: Bool
    ) throws(FilesystemError) -> any FilesystemOperations {
        guard !isAgent else { return inotifyReplay }
        switch subject {
        case .inode(let inode):
            if inode == .root, operation == .getattr { return filesystemOfRoot }
            return try filesystem(for: operation, of: FilesystemID(of: inode), inode)
        case .name(let name, let directory):
            if operation == .lookup, Control.hasName(name, in: directory) { return control }
            return try filesystem(for: operation, of: FilesystemID(of: directory))
        case .names(_, let directory, _, let newDirectory):
            let fsid = FilesystemID(of: directory)
            // mv(1) copies then.
            guard fsid == FilesystemID(of: newDirectory) else { throw .crossDevice }
            return try filesystem(for: operation, of: fsid)
        case .handle(let handle), .directoryHandle(let handle):
            return try filesystem(for: operation, of: FilesystemID(of: handle))
        }
    }

    private func filesystem(
        for operation: KernelOperation,
        of fsid: FilesystemID,
        _ inode: InodeNumber? = nil
    ) throws(FilesystemError) -> any FilesystemOperations {
        if fsid == .store { return storeFilesystem }
        if fsid == .control { return control }
        switch operation {
        // What an ended transaction was still to be given is given up with it.
        case .flush, .release, .releasedir: return transactions[fsid]?.filesystem ?? control
        case .getattr, .access:
            if let inode, transactions.hasFailed(inode) { return control }
        default: break
        }
        return try transactions.find(fsid).filesystem
    }

    /// The store's; where that does not answer, the root is as it was seen last: a program that
    /// looks at `.xsfs` comes through here.
    private var filesystemOfRoot: any FilesystemOperations {
        status.isStoreSilent && store.seenAttributesOfRoot != nil ? control : storeFilesystem
    }

    public func error(
        _ error: FilesystemError,
        of filesystem: any FilesystemOperations
    ) -> FilesystemError {
        guard filesystem !== storeFilesystem, filesystem !== inotifyReplay, filesystem !== control
        else { return error }
        // What the store says of a transaction that it no longer has is of no use.
        return transactions.isOpen(filesystem) ? error : .stale
    }

    public func filesystem(of inode: InodeNumber) -> (any FilesystemOperations)? {
        filesystem(of: FilesystemID(of: inode))
    }

    public func filesystem(of handle: HandleID) -> (any FilesystemOperations)? {
        filesystem(of: FilesystemID(of: handle))
    }

    private func filesystem(of fsid: FilesystemID) -> (any FilesystemOperations)? {
        if fsid == .store { return storeFilesystem }
        return fsid == .control ? control : transactions[fsid]?.filesystem
    }

    // MARK: What the log says of requests

    public func path(of inode: InodeNumber) -> String {
        path(in: FilesystemID(of: inode)) { $0.path(of: inode) }
    }

    public func path(of handle: HandleID) -> String {
        path(in: FilesystemID(of: handle)) { $0.path(of: handle) }
    }

    public func path(ofDirectory handle: HandleID) -> String {
        path(in: FilesystemID(of: handle)) { $0.path(ofDirectory: handle) }
    }

    private func path(
        in fsid: FilesystemID,
        _ body: (any FilesystemOperations) -> String
    ) -> String {
        guard let filesystem = filesystem(of: fsid) else { return transactions.path(of: fsid) }
        let path = body(filesystem)
        guard fsid != .store, fsid != .control else { return path }
        return path == "/" ? transactions.path(of: fsid) : transactions.path(of: fsid) + path
    }

    public func isLog(_ handle: HandleID) -> Bool { control.isLog(handle) }

    public func beginCost(ofTraced number: UInt64) { access.costs.begin(number) }

    public func takeCost(ofTraced number: UInt64) -> StoreCost { access.costs.end(number) }
}
