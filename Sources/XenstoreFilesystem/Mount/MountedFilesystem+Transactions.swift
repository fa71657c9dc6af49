package import XenstoreProtocol

extension MountedFilesystem {
    func transaction(named name: String) -> TransactionFilesystem<RequestMetrics<Access>>? {
        transactions.values.first { $0.name == name && !$0.hasEnded }
    }

    /// The store as another client would see it that works in the same open transaction.
    package func transactionAccess(named name: String) -> (any XenstoreAccess)? {
        transaction(named: name)?.access
    }

    /// `mkdir .txn/NAME`: opens a transaction. The corresponding operation is TRANSACTION_START.
    func beginTransaction(_ name: String) async throws(FilesystemError) -> Entry {
        try store.requireWritable()
        guard name != Control.commitName, name != ".conflict" else { throw .notPermitted }
        guard transaction(named: name) == nil else { throw .exists }
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
        guard transaction(named: name) == nil else {
            access.post(.transactionEnd(commit: false), in: id)
            throw .exists
        }
        var inner = environment
        // Nothing in a transaction is told to anybody before it is committed.
        inner.inject = nil
        inner.invalidate = { [environment] invalidation, reason in
            environment.invalidate(fsid.outer(invalidation), reason)
        }
        let transaction = TransactionFilesystem(
            fsid,
            named: name,
            TransactionRequests(access, in: id),
            options: store.options,
            environment: inner
        )
        transaction.filesystem.keys.inheritedKind = { [unowned store] path in
            store.keys.emptyKind(at: path)
        }
        let timestamps = transaction.filesystem.timestamps
        transaction.filesystem.keys.inheritTimes = { [unowned store] path, node in
            timestamps.inherit(path, to: node, from: store.timestamps)
        }
        timestamps.started = store.timestamps.started
        transactions[fsid] = transaction
        // Without a look at its root: C xenstored would count that as something it rests on.
        return entry(of: transaction)
    }

    /// `rmdir .txn/NAME`: forgets the transaction. The corresponding operation is TRANSACTION_END.
    func abortTransaction(_ name: String) async throws(FilesystemError) {
        guard let transaction = transaction(named: name) else { throw .noEntry }
        abort(transaction)
    }

    /// `mv .txn/NAME .txn/commit` commits; another new name is only that.
    func renameTransaction(
        _ name: String,
        to newName: String,
        _ mode: RenameMode,
        by caller: CallerID
    ) async throws(FilesystemError) {
        guard let transaction = transaction(named: name) else { throw .noEntry }
        guard mode != .exchange, newName != ".conflict" else { throw .notPermitted }
        if newName == Control.commitName {
            do throws(FilesystemError) {
                return try await commit(transaction)
            } catch {
                endFailed(transaction, mode, caller)
                throw error
            }
        }
        guard self.transaction(named: newName) == nil else { throw .exists }
        transaction.name = newName
    }

    private func commit(_ transaction: TransactionFilesystem<RequestMetrics<Access>>)
        async throws(FilesystemError)
    {
        transaction.hasEnded = true
        defer { transactions[transaction.id] = nil }
        guard !transaction.isLost else {
            throw failure(of: transaction, "the store has lost it", .again)
        }
        guard !transaction.access.isSpoilt else {
            access.post(.transactionEnd(commit: false), in: transaction.access.id)
            throw failure(of: transaction, "a change in it failed halfway", .inputOutput)
        }
        let changes = transaction.access.changes.all
        do throws(XenstoreError) {
            store.beginCommit(of: changes)
            _ = try await access.send(
                .transactionEnd(commit: true),
                in: transaction.access.id
            )
        } catch .refused(.again) {
            // What the store has told before its answer is what the conflict was about.
            let cause = transaction.conflict.map(\.text) ?? "a key that it rests on"
            throw failure(of: transaction, "\(cause) was changed meanwhile", .again)
        } catch {
            throw failure(of: transaction, "\(error)", FilesystemError(error))
        }
        store.endCommit(of: changes)
        lastConflict = ""
        dropName(Control.commitName)
        store.keys.adoptKinds(of: transaction.filesystem.keys)
        store.timestamps.adopt(changes.map(\.path), from: transaction.filesystem.timestamps)
    }

    /// Keeps why a commit failed.
    private func failure(
        of transaction: TransactionFilesystem<RequestMetrics<Access>>,
        _ reason: String,
        _ error: FilesystemError
    ) -> FilesystemError {
        lastConflict = "\(transaction.name): \(reason)".printable + "\n"
        return error
    }

    /// Has the kernel forget the name of a transaction whose commit failed. To mv(1) of the GNU
    /// coreutils, which looks at the directory once more before it says why, that is left until
    /// then. It is known by RENAME_NOREPLACE, and other programs that say so may look as well.
    private func endFailed(
        _ transaction: TransactionFilesystem<RequestMetrics<Access>>,
        _ mode: RenameMode,
        _ caller: CallerID
    ) {
        let fsid = transaction.id
        failed[caller] = (fsid, transaction.name)
        guard mode == .keep else { return dropFailed(caller) }
        environment.after(.seconds(FilesystemLimits.failureSeconds)) { [unowned self] in
            if failed[caller]?.fsid == fsid { dropFailed(caller) }
        }
    }

    /// What stat(2) finds of the directory of a transaction whose commit has failed.
    ///
    /// - Returns: whether there is something to see; nil for any other directory.
    func isToBeSeenAfterFailure(_ inode: InodeNumber, by caller: CallerID) -> Bool? {
        guard !failed.isEmpty,
            let (thread, _) = failed.first(where: { $1.fsid.outer(.root) == inode })
        else { return nil }
        if thread == caller { dropFailed(thread) }
        return thread == caller
    }

    private func dropFailed(_ caller: CallerID) {
        if let failed = failed.removeValue(forKey: caller) { dropName(failed.name) }
    }

    /// Has the kernel forget a name in `.txn`: after a commit, too, as it has moved that one.
    private func dropName(_ name: String) {
        environment.invalidate(
            .entry(directory: Control.transactions.inode, name: name),
            .failedCommit
        )
    }

    private func abort(_ transaction: TransactionFilesystem<RequestMetrics<Access>>) {
        transaction.hasEnded = true
        transactions[transaction.id] = nil
        // Nobody waits for it: it cannot fail in a way that matters.
        access.post(.transactionEnd(commit: false), in: transaction.access.id)
    }
}
