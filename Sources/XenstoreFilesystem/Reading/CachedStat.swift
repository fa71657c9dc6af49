/// What the store said of a key a moment ago.
struct CachedStat {
    let stat: KeyStat
    /// When the store said it, or it was given to a program.
    let given: Duration
    /// For how long from then on it serves.
    let lifetime: Duration
}

/// What the last call of each thread was answered: it serves the calls of the same thread that
/// follow at once, such as the fstat(2) after an open(2), or the second half of a stat(2).
struct ThreadStatCache {
    private struct Answer {
        let inode: InodeNumber
        let stat: CachedStat
        /// What was opened by it, and holds it; without, it serves once.
        let handle: HandleID?
    }

    private var answers: [CallerID: Answer] = [:]

    mutating func put(
        _ stat: CachedStat,
        of inode: InodeNumber,
        for caller: CallerID,
        handle: HandleID?
    ) {
        if answers.count >= FilesystemLimits.threadStats { answers = [:] }
        answers[caller] = Answer(inode: inode, stat: stat, handle: handle)
    }

    mutating func take(
        _ inode: InodeNumber,
        for caller: CallerID,
        isOpening: Bool
    ) -> CachedStat? {
        guard let answer = answers[caller], answer.handle == nil || !isOpening else { return nil }
        if answer.handle == nil || answer.inode != inode { answers[caller] = nil }
        return answer.inode == inode ? answer.stat : nil
    }

    /// The handle is closed, and what it held is gone with it.
    mutating func close(_ handle: HandleID) {
        for (caller, answer) in answers where answer.handle == handle {
            answers[caller] = nil
        }
    }
}
