/// Keys of which a file was closed, while the store is asked whether to empty them. On a disk it is
/// done when close(2) returns, so who asks for such a key waits until it is.
final class ClosingFiles {
    private var waiters: [UInt64: [CheckedContinuation<Void, Never>]] = [:]
    private var counts: [UInt64: Int] = [:]

    func contains(_ node: KeyNode) -> Bool { !counts.isEmpty && counts[node.id] != nil }

    func begin(_ node: KeyNode) { counts[node.id, default: 0] += 1 }

    func end(_ node: KeyNode) {
        guard let count = counts[node.id] else { return }
        guard count == 1 else { return counts[node.id] = count - 1 }
        counts[node.id] = nil
        waiters.removeValue(forKey: node.id)?.forEach { $0.resume() }
    }

    /// Waits until what was closed before is done. What is closed meanwhile is later.
    func wait(for node: KeyNode) async {
        guard contains(node) else { return }
        await withCheckedContinuation { waiters[node.id, default: []].append($0) }
    }
}
