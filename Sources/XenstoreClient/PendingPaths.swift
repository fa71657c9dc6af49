package import XenstoreProtocol

/// Paths that wait in line, each once, up to a limit.
package struct PendingPaths {
    private let limit: Int
    private var paths: [XenstorePath] = []
    /// Paths at the beginning of `paths` that are gone.
    private var taken = 0
    private var known: Set<XenstorePath> = []

    package init(limit: Int) { self.limit = limit }

    /// Adds a path, unless it is there.
    ///
    /// - Returns: false if as many are there as may be.
    package mutating func insert(_ path: XenstorePath) -> Bool {
        guard known.count < limit else { return false }
        if known.insert(path).inserted { paths.append(path) }
        return true
    }

    /// The path that has waited longest.
    package mutating func takeFirst() -> XenstorePath? {
        guard taken < paths.count else { return nil }
        let path = paths[taken]
        taken += 1
        known.remove(path)
        if taken == paths.count {
            removeAll()
        } else if taken >= limit {
            // A reader that never catches up must not keep what it has taken.
            paths.removeSubrange(..<taken)
            taken = 0
        }
        return path
    }

    package mutating func replaceAll(with path: XenstorePath) {
        removeAll()
        paths.append(path)
        known.insert(path)
    }

    package mutating func removeAll() {
        paths.removeAll(keepingCapacity: true)
        taken = 0
        known.removeAll(keepingCapacity: true)
    }
}
