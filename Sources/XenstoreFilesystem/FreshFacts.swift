/// What the store said of a key a moment ago, with all that tells whether it still holds.
struct FreshFacts {
    let facts: KeyFacts
    /// The change up to which it is true.
    let serial: Int
    /// How many changes this mount had made when it was asked.
    let ownChanges: Int
    let told: Duration
}

/// What programs were told last: it serves the calls of the same thread that follow at once, such
/// as the fstat(2) after an open(2), or the second half of a stat(2).
struct LastAnswers {
    private struct Answer {
        let inode: InodeNumber
        let facts: FreshFacts
        /// What was opened by it, and holds it; without, it serves once.
        let handle: HandleID?
    }

    private var answers: [CallerID: Answer] = [:]

    mutating func put(
        _ facts: FreshFacts,
        of inode: InodeNumber,
        for caller: CallerID,
        handle: HandleID?
    ) {
        if answers.count >= FilesystemLimits.lastAnswers { answers = [:] }
        answers[caller] = Answer(inode: inode, facts: facts, handle: handle)
    }

    mutating func take(
        _ inode: InodeNumber,
        for caller: CallerID,
        isOpening: Bool
    ) -> FreshFacts? {
        guard let answer = answers[caller], answer.handle == nil || !isOpening else { return nil }
        if answer.handle == nil || answer.inode != inode { answers[caller] = nil }
        return answer.inode == inode ? answer.facts : nil
    }

    /// The handle is closed, and what it held is gone with it.
    mutating func close(_ handle: HandleID) {
        for (caller, answer) in answers where answer.handle == handle {
            answers[caller] = nil
        }
    }
}
