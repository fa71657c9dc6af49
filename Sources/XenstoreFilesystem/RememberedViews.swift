import XenstoreProtocol

/// How empty keys showed that the kernel has forgotten, where it was otherwise than what is known
/// of their places: a bounded queue, the oldest first out.
struct RememberedViews {
    private var order: [(path: XenstorePath, number: Int)] = []
    private var head = 0
    /// Each with the number of its place in the queue. Older places of it do not count any more.
    private var paths: [XenstorePath: (number: Int, view: View)] = [:]
    private var next = 0

    mutating func insert(_ path: XenstorePath, _ view: View) {
        guard paths[path]?.view != view else { return }
        paths[path] = (next, view)
        order.append((path, next))
        next += 1
        while paths.count > FilesystemLimits.rememberedViews {
            let oldest = order[head]
            if paths[oldest.path]?.number == oldest.number { paths[oldest.path] = nil }
            head += 1
        }
        // What was taken, and what comes and goes, would pile up.
        if order.count > 2 * FilesystemLimits.rememberedViews {
            order = order[head...].filter { paths[$0.path]?.number == $0.number }
            head = 0
        }
    }

    var all: [(path: XenstorePath, view: View)] { paths.map { ($0.key, $0.value.view) } }

    func view(of path: XenstorePath) -> View? { paths[path]?.view }

    /// How the path showed, if it is remembered; it is no more.
    mutating func take(_ path: XenstorePath) -> View? {
        paths.removeValue(forKey: path)?.view
    }

    /// Forgets the paths at and below `path`.
    mutating func removeAll(below path: XenstorePath) {
        _ = takeAll(below: path)
    }

    /// The paths at and below `path`, which are no longer remembered, as what follows it.
    mutating func takeAll(below path: XenstorePath) -> [(suffix: String, view: View)] {
        let found = all.filter { path.contains($0.path) }
        for (path, _) in found { paths[path] = nil }
        return found.map { (String($0.path.text.dropFirst(path.text.count)), $0.view) }
    }

    /// Remembers paths by what follows `path`.
    mutating func insertAll(_ views: [(suffix: String, view: View)], below path: XenstorePath) {
        for (suffix, view) in views {
            // A path that got too long cannot be there.
            if let moved = try? XenstorePath(path.text + suffix) { insert(moved, view) }
        }
    }
}
