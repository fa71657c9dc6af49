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

    /// Whether the path is remembered; it is no more.
    mutating func take(_ path: XenstorePath) -> Bool {
        // Its place in the queue stays, and is skipped when its turn comes.
        paths.remove(path) != nil
    }
}
