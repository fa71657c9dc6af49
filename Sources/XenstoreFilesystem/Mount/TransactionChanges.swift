import XenstoreProtocol

/// What a transaction would do to the store, and which keys it rests on.
struct TransactionChanges {
    private enum Kind {
        case write
        case permissions
        case remove
    }

    /// What a transaction changes at one key.
    struct Change {
        let path: XenstorePath
        /// Whether all that was below is gone.
        let isRemoved: Bool
        /// Whether it is more than the permissions.
        let isValue: Bool
    }

    private var changes: [XenstorePath: Kind] = [:]
    /// The keys in the order in which they were first changed.
    private var order: [XenstorePath] = []
    /// What it has looked at or changed.
    private(set) var touched: Set<XenstorePath> = []
    /// Keys that were not there at the beginning, as far as was asked: making and removing one is
    /// no change.
    private var missing: Set<XenstorePath> = []
    /// All that was removed of what was there at the beginning, whether it is there again or not.
    private var removed: Set<XenstorePath> = []

    /// Takes a request that the store has carried out.
    ///
    /// - Returns: whether it changes something.
    mutating func append(_ request: Request) -> Bool {
        guard let path = request.path else { return false }
        if touched.count < FilesystemLimits.touchedKeys { touched.insert(path) }
        switch request {
        case .write, .makeDirectory: set(.write, path)
        case .setPermissions where changes[path] == nil: set(.permissions, path)
        case .setPermissions: break
        case .remove:
            order.removeAll { path.contains($0) }
            changes = changes.filter { !path.contains($0.key) }
            guard !missing.contains(where: { $0.contains(path) }) else { return true }
            removed.insert(path)
            set(.remove, path)
        default: return false
        }
        return true
    }

    /// Takes a request that the store has refused, as there is no such key.
    mutating func appendMissing(_ request: Request) {
        guard let path = request.path, missing.count < FilesystemLimits.touchedKeys,
            !removed.contains(where: { $0.contains(path) })
        else { return }
        missing.insert(path)
    }

    private mutating func set(_ change: Kind, _ path: XenstorePath) {
        if changes.updateValue(change, forKey: path) == nil { order.append(path) }
    }

    /// What it changes, in the order in which the keys were first changed.
    var all: [Change] {
        order.map { path in
            Change(
                path: path,
                isRemoved: removed.contains(path),
                isValue: changes[path] != .permissions
            )
        }
    }

    /// One line a key, in the order in which they were first changed: `write PATH`,
    /// `permissions PATH` or `remove PATH`. What is removed goes with all below it.
    var text: String {
        order.map { path in
            switch changes[path] {
            case .write: "write \(path)\n"
            case .permissions: "permissions \(path)\n"
            case .remove: "remove \(path)\n"
            case nil: ""
            }
        }.joined()
    }
}
