import XenstoreProtocol

/// A store as it was at one moment, as records that are made one at a time.
///
/// It shares the nodes with the store, which copies those that it changes meanwhile.
public struct StoreSnapshot {
    /// Bytes from which on a record ends, and another begins.
    private static let recordSize = 1 << 18

    private var encoder: JournalEncoder
    private var waiting: [(path: StorePath, node: Node)]

    init(of state: StoreState) {
        var encoder = JournalEncoder()
        let tree = state.nodes.tree
        encoder.append(.cleared)
        for entry in state.accounts.entries { encoder.append(entry) }
        for path in [StorePath.introduceDomain, .releaseDomain] {
            guard let node = tree.node(at: path) else { continue }
            encoder.append(.node(.setPermissions(path, node.permissions)))
        }
        self.encoder = encoder
        waiting = [(.root, tree.root)]
    }

    /// The next record; nil after the last.
    public mutating func next() -> [UInt8]? {
        while encoder.bytes.count < Self.recordSize, let next = waiting.popLast() {
            append(next.path, next.node)
            let first = waiting.count
            next.node.children.forEach { waiting.append((next.path.appending($0.name), $0)) }
            waiting[first...].reverse()
        }
        let record = encoder.takeAll()
        return record.isEmpty ? nil : record
    }

    private mutating func append(_ path: StorePath, _ node: Node) {
        if path.isRoot {
            encoder.append(.node(.setValue(path, node.value)))
            encoder.append(.node(.setPermissions(path, node.permissions)))
        } else {
            encoder.append(
                .node(
                    .create(path, levels: 1, value: node.value, permissions: node.permissions)
                )
            )
        }
    }
}
