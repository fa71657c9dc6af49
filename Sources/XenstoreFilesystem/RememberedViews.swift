import XenstoreProtocol

/// Paths of empty keys that showed otherwise than empty keys do when the kernel forgot them: a
/// bounded queue, the oldest first out.
struct RememberedViews {
    private var order: [XenstorePath] = []
    private var head = 0
    private var paths: Set<XenstorePath> = []

    mutating func insert(_ path: XenstorePath) {
        guard paths.insert(path).inserted else { return }
        order.append(path)
        while order.count - head > FilesystemLimits.rememberedViews {
            paths.remove(order[head])
            head += 1
        }
        if head > FilesystemLimits.rememberedViews {
            order.removeSubrange(..<head)
            head = 0
        }
    }

    var all: Set<XenstorePath> { paths }

    func contains(_ path: XenstorePath) -> Bool { paths.contains(path) }

    /// Whether the path is remembered; it is no more.
    mutating func take(_ path: XenstorePath) -> Bool {
        // Its place in the queue stays, and is skipped when its turn comes.
        paths.remove(path) != nil
    }

    /// Forgets the paths at and below `path`.
    mutating func removeAll(below path: XenstorePath) {
        guard paths.contains(where: { path.contains($0) }) else { return }
        paths = paths.filter { !path.contains($0) }
    }

    /// The paths at and below `path`, which are no longer remembered, as what follows it.
    mutating func takeAll(below path: XenstorePath) -> [String] {
        let found = paths.filter { path.contains($0) }
        paths.subtract(found)
        return found.map { String($0.text.dropFirst(path.text.count)) }
    }

    /// Remembers paths by what follows `path`.
    mutating func insertAll(_ suffixes: [String], below path: XenstorePath) {
        for suffix in suffixes {
            // A path that got too long cannot be there.
            if let moved = try? XenstorePath(path.text + suffix) { insert(moved) }
        }
    }
}
