public import XenstoreProtocol

/// All that is mounted: the store, and beside it `.txn` with a tree for each open transaction.
///
/// Each tree is a filesystem of its own; here is only whose a number is. Belongs to one thread.
public final class MountedFilesystem<Access: XenstoreAccess>: FilesystemOperations {
    let access: RequestMetrics<Access>
    let store: Filesystem<RequestMetrics<Access>>
    let environment: FilesystemEnvironment
    var transactions: [FilesystemID: TransactionFilesystem<RequestMetrics<Access>>] = [:]
    var nextID = FilesystemID.firstTransaction
    var directories = HandleTable<[DirectoryEntry]>()
    var files = HandleTable<ControlFile>()
    /// How many have `.xsfs/log` open.
    var logReaders = 0
    /// When the mount began: the time of all that is no key's.
    let started: Timestamp
    /// When the connection was made; nil without one.
    private(set) var connectedSince: Timestamp?
    /// The features of the store, as a bit mask; nil where it does not say. The status does not
    /// ask: it is what is read when the store does not answer.
    private(set) var features: Int?
    /// The content of `.xsfs/status`, and when it was made: the kernel is given the size of the
    /// file with its name, before the file is opened.
    var lastStatus: (text: [UInt8], made: Duration)?
    /// Why the last commit failed.
    var lastConflict = ""
    /// Transactions whose commit has failed, by the thread that got the error, until it has looked.
    var failed: [CallerID: (fsid: FilesystemID, name: String)] = [:]

    public init(
        _ access: Access,
        options: FilesystemOptions = FilesystemOptions(),
        environment: FilesystemEnvironment
    ) {
        let access = RequestMetrics(
            access,
            elapsed: environment.elapsed,
            logs: environment.logs
        )
        self.access = access
        self.environment = environment
        started = environment.now()
        store = Filesystem(access, options: options, environment: environment)
    }

    // MARK: The store's news

    /// The token of the watch that keeps names, shapes and permissions true.
    public var watchToken: [UInt8] { store.watchToken }

    /// A connection is there.
    public func connected() async {
        connectedSince = environment.now()
        await store.connected()
        let answer = try? await answer(to: .getFeature(nil))
        features = answer.flatMap { answer in
            let text = String(decoding: answer.prefix { $0 != 0 }, as: UTF8.self)
            return text.split(separator: " ").last.flatMap { Int($0) }
        }
    }

    /// The connection is lost, and with it all transactions.
    public func disconnected() {
        connectedSince = nil
        store.disconnected()
        loseTransactions()
    }

    func loseTransactions() {
        for transaction in transactions.values {
            transaction.isLost = true
        }
    }

    /// Takes the event of a watch.
    public func changed(_ path: XenstorePath) {
        for transaction in transactions.values {
            transaction.noteChange(of: path)
        }
        store.changed(path)
    }

    // MARK: Whose a number is

    /// Has the tree that an inode belongs to do something with it.
    func route<Value>(
        _ inode: InodeNumber,
        _ body: (any FilesystemOperations, InodeNumber, FilesystemID) async throws(FilesystemError)
            ->
            Value
    ) async throws(FilesystemError) -> Value {
        try await run(FilesystemID(of: inode)) { tree, fsid throws(FilesystemError) in
            try await body(tree, inode.own, fsid)
        }
    }

    /// Has the tree that a handle belongs to do something with it.
    func route<Value>(
        _ handle: HandleID,
        _ body: (any FilesystemOperations, HandleID, FilesystemID) async throws(FilesystemError) ->
            Value
    ) async throws(FilesystemError) -> Value {
        try await run(FilesystemID(of: handle)) { tree, fsid throws(FilesystemError) in
            try await body(tree, handle.own, fsid)
        }
    }

    private func run<Value>(
        _ fsid: FilesystemID,
        _ body: (any FilesystemOperations, FilesystemID) async throws(FilesystemError) -> Value
    ) async throws(FilesystemError) -> Value {
        if fsid == .store { return try await body(store, fsid) }
        let transaction = try find(fsid)
        do throws(FilesystemError) {
            return try await body(transaction.filesystem, fsid)
        } catch {
            // What the store says of a transaction that it no longer has is of no use.
            throw transaction.hasEnded ? .stale : error
        }
    }

    /// The transaction of a tree.
    func find(_ fsid: FilesystemID) throws(FilesystemError) -> TransactionFilesystem<
        RequestMetrics<Access>
    > {
        guard let transaction = transactions[fsid], !transaction.hasEnded else { throw .stale }
        return transaction
    }

    /// The tree of a number, for what needs no answer of the store.
    func tree(_ fsid: FilesystemID) -> (any FilesystemOperations)? {
        fsid == .store ? store : transactions[fsid]?.filesystem
    }
}
