import Logging
import XenstoreProtocol

/// The transactions of a mount, from `mkdir .txn/NAME` on until they are committed or given up.
final class TransactionTable<Access: XenstoreAccess> {
    typealias Transaction = TransactionFilesystem<RequestMetrics<Access>>

    private let access: RequestMetrics<Access>
    private let store: Filesystem<RequestMetrics<Access>>
    /// How long one may stay open; nil where that is for ever.
    private let timeout: Duration?
    /// Those that are open, and one that is being committed.
    private var transactions: [FilesystemID: Transaction] = [:]
    private var nextID = FilesystemID.firstTransaction
    /// Transactions whose commit has failed, by the thread that got the error, until it has looked.
    private var failed: [CallerID: (fsid: FilesystemID, name: String)] = [:]
    /// Why the last commit failed.
    private(set) var lastConflict = ""

    init(
        _ access: RequestMetrics<Access>,
        of store: Filesystem<RequestMetrics<Access>>,
        timeout: Duration?
    ) {
        self.access = access
        self.timeout = timeout
        self.store = store
    }

    var count: Int { transactions.count }

    /// The names and root directories of those that are open.
    var listed: [(name: String, root: InodeNumber)] {
        transactions.values.filter { !$0.hasEnded }.sorted { $0.name < $1.name }
            .map { ($0.name, $0.id.root) }
    }

    /// Those that are open, the oldest first.
    var open: [Transaction] {
        transactions.values.filter { !$0.hasEnded }.sorted { $0.opened < $1.opened }
    }

    /// The transaction of a number, which may have ended.
    subscript(fsid: FilesystemID) -> Transaction? { transactions[fsid] }

    /// The open transaction of a number.
    func find(_ fsid: FilesystemID) throws(FilesystemError) -> Transaction {
        guard let transaction = transactions[fsid], !transaction.hasEnded else { throw .stale }
        return transaction
    }

    /// The open transaction of a name.
    func find(_ name: String) -> Transaction? {
        transactions.values.first { $0.name == name && !$0.hasEnded }
    }

    /// Whether a filesystem is that of an open transaction.
    func isOpen(_ filesystem: any FilesystemOperations) -> Bool {
        transactions.values.contains { $0.filesystem === filesystem && !$0.hasEnded }
    }

    /// Where a transaction is in the mount.
    func path(of fsid: FilesystemID) -> String {
        "/\(Control.transactionsName)/\(transactions[fsid]?.name ?? "?")"
    }

    // MARK: The store's news

    /// The connection is lost, or the store has ended them all.
    func loseAll() {
        for transaction in transactions.values { transaction.lose() }
    }

    /// Another client has changed a key, or this mount has, outside.
    func noteChange(of path: XenstorePath) {
        for transaction in transactions.values { transaction.noteChange(of: path) }
    }

    // MARK: Begin and end

    /// `mkdir .txn/NAME`: opens a transaction. The corresponding operation is TRANSACTION_START.
    ///
    /// - Returns: its root directory.
    func begin(
        _ name: String,
        by caller: CallerID
    ) async throws(FilesystemError) -> InodeNumber {
        try store.requireWritable()
        // It may be gone when the store has answered.
        let owner = store.environment.describe(caller)
        guard name != Control.commitName, name != Control.conflictName else {
            throw .notPermitted
        }
        guard find(name) == nil else { throw .exists }
        guard nextID != .last else { throw .noSpace }
        let fsid = nextID
        nextID = fsid.next
        let id: TransactionID
        do throws(XenstoreError) {
            if let turns = store.writer.turns {
                id = try await turns.startKept(in: access)
            } else {
                id = try await access.startTransaction()
            }
        } catch {
            throw FilesystemError(error)
        }
        guard find(name) == nil else {
            access.post(.transactionEnd(commit: false), in: id)
            throw .exists
        }
        transactions[fsid] = TransactionFilesystem(
            fsid,
            named: name,
            TransactionRequests(access, in: id),
            by: owner,
            of: store
        )
        if let timeout {
            store.environment.after(timeout) { [weak self] in self?.expire(fsid, after: timeout) }
        }
        return fsid.root
    }

    /// Gives a transaction up that was open for too long. One that is being committed has ended.
    private func expire(_ fsid: FilesystemID, after timeout: Duration) {
        guard let transaction = transactions[fsid], !transaction.hasEnded else { return }
        let (name, owner) = (transaction.name.printable, transaction.owner)
        lastConflict = "\(name): given up after \(timeout.components.seconds) s\n"
        store.environment.logs.store.notice(
            """
            transaction \(name) of \(owner.command)[\(owner.processID)] was open for \
            \(timeout.components.seconds) s, and is given up
            """
        )
        giveUp(transaction)
        dropName(transaction.name)
    }

    private func giveUp(_ transaction: Transaction) {
        transaction.end()
        transactions[transaction.id] = nil
        // Nobody waits for it: it cannot fail in a way that matters.
        access.post(.transactionEnd(commit: false), in: transaction.access.id)
    }

    /// `rmdir .txn/NAME`: forgets the transaction. The corresponding operation is TRANSACTION_END.
    func abort(_ name: String) throws(FilesystemError) {
        guard let transaction = find(name) else { throw .noEntry }
        giveUp(transaction)
    }

    /// `mv .txn/NAME .txn/commit` commits; another new name is only that.
    func rename(
        _ name: String,
        to newName: String,
        _ mode: RenameMode,
        by caller: CallerID
    ) async throws(FilesystemError) {
        guard let transaction = find(name) else { throw .noEntry }
        guard mode != .exchange, newName != Control.conflictName else { throw .notPermitted }
        if newName == Control.commitName {
            do throws(FilesystemError) {
                return try await commit(transaction)
            } catch {
                endFailed(transaction, mode, caller)
                throw error
            }
        }
        guard find(newName) == nil else { throw .exists }
        transaction.rename(to: newName)
    }

    private func commit(_ transaction: Transaction) async throws(FilesystemError) {
        transaction.end()
        defer { transactions[transaction.id] = nil }
        guard !transaction.isLost else { throw lost(transaction) }
        guard !transaction.access.isSpoilt else {
            access.post(.transactionEnd(commit: false), in: transaction.access.id)
            throw failure(of: transaction, "a change in it failed halfway", .inputOutput)
        }
        let changes = transaction.access.changes.all
        let end = Request.transactionEnd(commit: true)
        do throws(XenstoreError) {
            store.beginCommit(of: changes)
            _ = try await access.send(end, in: transaction.access.id)
        } catch {
            switch error.transactionFailure(of: end) {
            case .conflict:
                // What the store has told before its answer is what the conflict was about.
                let cause = transaction.conflict.map(\.text) ?? "a key that it rests on"
                throw failure(of: transaction, "\(cause) was changed meanwhile", .again)
            case .lost: throw lost(transaction)
            case nil: throw failure(of: transaction, "\(error)", FilesystemError(error))
            }
        }
        store.endCommit(of: changes)
        lastConflict = ""
        dropName(Control.commitName)
        store.keys.adoptKinds(of: transaction.filesystem.keys)
        store.timestamps.adopt(changes.map(\.path), from: transaction.filesystem.timestamps)
    }

    // MARK: Commits that have failed

    private func lost(_ transaction: Transaction) -> FilesystemError {
        failure(of: transaction, "the store has lost it", .again)
    }

    /// Keeps why a commit failed.
    private func failure(
        of transaction: Transaction,
        _ reason: String,
        _ error: FilesystemError
    ) -> FilesystemError {
        lastConflict = "\(transaction.name): \(reason)".printable + "\n"
        return error
    }

    /// Has the kernel forget the name of a transaction whose commit failed. To mv(1) of the GNU
    /// coreutils, which looks at the directory once more before it says why, that is left until
    /// then. It is known by RENAME_NOREPLACE, and other programs that say so may look as well.
    private func endFailed(_ transaction: Transaction, _ mode: RenameMode, _ caller: CallerID) {
        let fsid = transaction.id
        failed[caller] = (fsid, transaction.name)
        guard mode == .keep else { return dropFailed(caller) }
        store.environment.after(.seconds(FilesystemLimits.failureSeconds)) { [unowned self] in
            if failed[caller]?.fsid == fsid { dropFailed(caller) }
        }
    }

    /// Whether an inode is the directory of a transaction whose commit has failed, and which a
    /// thread may see once more.
    func hasFailed(_ inode: InodeNumber) -> Bool {
        failed.values.contains { $0.fsid.root == inode }
    }

    /// Shows a thread, once, the directory for which ``hasFailed(_:)`` is true.
    ///
    /// - Returns: whether it may see it.
    func takeFailed(_ inode: InodeNumber, by caller: CallerID) -> Bool {
        guard let failed = failed[caller], failed.fsid.root == inode else { return false }
        dropFailed(caller)
        return true
    }

    private func dropFailed(_ caller: CallerID) {
        if let failed = failed.removeValue(forKey: caller) { dropName(failed.name) }
    }

    /// Has the kernel forget a name in `.txn`: after a commit, too, as it has moved that one.
    private func dropName(_ name: String) {
        store.environment.invalidate(
            .entry(directory: Control.transactions.inode, name: name),
            .failedCommit
        )
    }
}
