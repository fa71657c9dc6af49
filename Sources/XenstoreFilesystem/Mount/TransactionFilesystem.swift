import XenstoreProtocol

/// An open transaction as a tree of its own.
final class TransactionFilesystem<Access: XenstoreAccess> {
    let id: FilesystemID
    /// Its name in `.txn`.
    var name: String
    let access: TransactionRequests<Access>
    let filesystem: Filesystem<TransactionRequests<Access>>
    /// Whether it was committed or given up, or is about to be.
    var hasEnded = false
    /// Whether the store has forgotten it: the connection was lost.
    var isLost = false
    /// What other clients changed since it began: paths, and how many there were in all.
    var changedByOthers: [XenstorePath] = []

    init(
        _ id: FilesystemID,
        named name: String,
        _ access: TransactionRequests<Access>,
        options: FilesystemOptions,
        environment: FilesystemEnvironment
    ) {
        self.id = id
        self.name = name
        self.access = access
        var options = options
        // A trial cannot be taken back here. The write itself tells what the store refuses.
        options.asksForWriting = false
        filesystem = Filesystem(
            access,
            options: options,
            environment: environment,
            rollsBack: false
        )
    }

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
