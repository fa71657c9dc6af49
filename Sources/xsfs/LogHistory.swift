import Synchronization

/// The lines that were logged last, and who is handed those that follow.
final class LogHistory: Sendable {
    /// Lines that are kept.
    private static let limit = 1000

    private struct State {
        var lines: [String] = []
        /// Where the oldest line is, once as many as are kept have come.
        var oldest = 0
        var follower: (@Sendable (String) -> Void)?
    }

    private let state = Mutex(State())

    func add(_ line: String) {
        let follower = state.withLock { state in
            if state.lines.count < Self.limit {
                state.lines.append(line)
            } else {
                state.lines[state.oldest] = line
                state.oldest = (state.oldest + 1) % Self.limit
            }
            return state.follower
        }
        follower?(line)
    }

    /// The lines, the oldest first.
    var lines: [String] {
        state.withLock { Array($0.lines[$0.oldest...] + $0.lines[..<$0.oldest]) }
    }

    /// Has each line that follows handed to `follower`, on the thread that logs it.
    func follow(_ follower: (@Sendable (String) -> Void)?) {
        state.withLock { $0.follower = follower }
    }
}
