import XenstoreProtocol

/// An open transaction as a filesystem of its own.
final class TransactionFilesystem<Access: XenstoreAccess> {
    let id: FilesystemID
    /// Its name in `.txn`.
    private(set) var name: String
    let access: TransactionRequests<Access>
    let filesystem: Filesystem<TransactionRequests<Access>>
    /// When it was opened, by the clock that is never set.
    let opened: Duration
    /// Who has opened it.
    let owner: CallerDescription
    /// Whether it was committed or given up, or is about to be.
    private(set) var hasEnded = false
    /// Whether the connection that it was begun on is lost.
    private var isConnectionLost = false
    /// What other clients changed since it began, as far as it is kept.
    private var changedByOthers: [XenstorePath] = []

    /// - Parameters:
    ///   - owner: who opens it.
    ///   - store: the filesystem of the store that it is a transaction of.
    init(
        _ id: FilesystemID,
        named name: String,
        _ access: TransactionRequests<Access>,
        by owner: CallerDescription,
        of store: Filesystem<Access>
    ) {
        self.id = id
        self.name = name
        self.access = access
        self.owner = owner
        opened = store.environment.elapsed()
        var options = store.options
        // A trial cannot be taken back here. The write itself tells what the store refuses.
        options.asksForWriting = false
        var environment = store.environment
        // Nothing in a transaction is told to anybody before it is committed.
        environment.inject = nil
        filesystem = Filesystem(
            id,
            over: access,
            options: options,
            environment: environment,
            rollsBack: false
        )
        let timestamps = filesystem.timestamps
        filesystem.keys.outside = KeyTable.Outside(
            kind: { [unowned store] path in store.keys.emptyKind(at: path) },
            inherit: { [unowned store] path, node in
                timestamps.inherit(path, to: node, from: store.timestamps)
            }
        )
        timestamps.started = store.timestamps.started
    }

    func rename(to newName: String) { name = newName }

    func end() { hasEnded = true }

    func lose() { isConnectionLost = true }

    /// Whether the store does not have it any more.
    var isLost: Bool { isConnectionLost || access.isLost }

    /// Notes a change that somebody made outside.
    func noteChange(of path: XenstorePath) {
        guard changedByOthers.count < FilesystemLimits.changeLog else { return }
        changedByOthers.append(path)
    }

    /// A key that the transaction rests on and that another client has changed since.
    var conflict: XenstorePath? {
        changedByOthers.first { access.changes.touched.contains($0) }
    }
}
