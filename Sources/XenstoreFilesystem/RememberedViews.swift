import XenstoreProtocol

/// Paths of empty keys that showed otherwise than empty keys do when the kernel forgot them: a
/// bounded queue, the oldest first out.
struct RememberedViews {
    private var order: [(path: XenstorePath, number: Int)] = []
    private var head = 0
    /// Each with the number of its place in the queue. Older places of it do not count any more.
    private var paths: [XenstorePath: Int] = [:]
    private var next = 0

    mutating func insert(_ path: XenstorePath) {
        guard paths[path] == nil else { return }
        paths[path] = next
        order.append((path, next))
        next += 1
        while paths.count > FilesystemLimits.rememberedViews {
            let oldest = order[head]
            if paths[oldest.path] == oldest.number { paths[oldest.path] = nil }
            head += 1
        }
        // What was taken, and what comes and goes, would pile up.
        if order.count > 2 * FilesystemLimits.rememberedViews {
            order = order[head...].filter { paths[$0.path] == $0.number }
            head = 0
        }
    }

    var all: [XenstorePath] { Array(paths.keys) }

    func contains(_ path: XenstorePath) -> Bool { paths[path] != nil }

    /// Whether the path is remembered; it is no more.
    mutating func take(_ path: XenstorePath) -> Bool {
        paths.removeValue(forKey: path) != nil
    }

    /// Forgets the paths at and below `path`.
    mutating func removeAll(below path: XenstorePath) {
        _ = takeAll(below: path)
    }

    /// The paths at and below `path`, which are no longer remembered, as what follows it.
    mutating func takeAll(below path: XenstorePath) -> [String] {
        let found = paths.keys.filter { path.contains($0) }
        for path in found { paths[path] = nil }
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
