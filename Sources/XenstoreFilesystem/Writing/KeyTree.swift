import XenstoreProtocol

/// A key with all below it, as read in one transaction; parents before children.
struct KeyTree {
    struct Key {
        /// What follows the path of the top: empty, or beginning with a slash.
        let suffix: String
        let value: [UInt8]
        let permissions: Permissions
    }

    private(set) var keys: [Key] = []

    /// Whether the top has children.
    var hasChildren: Bool { keys.count > 1 }

    var topValue: [UInt8] { keys.first?.value ?? [] }

    /// Reads the key at `path` and all below it, level by level.
    init<Access: XenstoreAccess>(
        reading path: XenstorePath,
        from access: Access,
        in transaction: TransactionID
    ) async throws(XenstoreError) {
        var level = [""]
        while !level.isEmpty {
            var next: [String] = []
            for part in level.chunks(of: FilesystemLimits.renameBatch / 3) {
                next += try await read(part, below: path, from: access, in: transaction)
            }
            level = next
        }
    }

    /// Reads some keys of one level.
    ///
    /// - Returns: the suffixes of their children.
    private mutating func read<Access: XenstoreAccess>(
        _ suffixes: [String],
        below top: XenstorePath,
        from access: Access,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [String] {
        let queries = suffixes.map { suffix in
            StatQuery(XenstorePath(unchecked: top.text + suffix), at: .never)
        }
        let answers = await access.stat(queries, in: transaction)
        var children: [String] = []
        for ((suffix, query), answer) in zip(zip(suffixes, queries), answers) {
            let stat = try answer.get()
            keys.append(Key(suffix: suffix, value: stat.value, permissions: stat.permissions))
            guard stat.hasChildren else { continue }
            let names: [String]
            if let list = stat.names {
                names = try access.childNames(list)
            } else {
                names = try await access.directoryByParts(query.path, in: transaction)
            }
            children += names.map { suffix + "/" + $0 }
        }
        return children
    }

    /// Writes the keys below another path.
    func write<Access: XenstoreAccess>(
        to path: XenstorePath,
        of access: Access,
        in transaction: TransactionID
    ) async throws(XenstoreError) {
        for part in keys.chunks(of: FilesystemLimits.renameBatch / 2) {
            var requests: [Request] = []
            for key in part {
                guard let target = try? XenstorePath(path.text + key.suffix) else {
                    throw .tooLarge
                }
                requests.append(.write(target, value: key.value))
                requests.append(.setPermissions(target, key.permissions))
            }
            for answer in await access.send(requests, in: transaction) {
                _ = try answer.get()
            }
        }
    }
}

extension Array {
    /// The elements in their order, in parts of at most `size`.
    fileprivate func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
