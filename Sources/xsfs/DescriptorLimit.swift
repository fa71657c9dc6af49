import Glibc

/// How many descriptors the process may have open.
enum DescriptorLimit {
    /// Descriptors that guests' connections leave to the rest: to the privileged domain's, to the
    /// sockets that are listened at, to files.
    private static let kept = 128

    /// Descriptors that the process itself may have open when it is asked.
    private static let own = 16

    /// Raises the limit as far as the process may.
    ///
    /// - Returns: how many connections of guests leave enough for the rest.
    static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return .max
        }
        var raised = limit
        raised.rlim_cur = limit.rlim_max
        if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        let count = Int(clamping: limit.rlim_cur)
        let free = count - inherited(below: count)
        return max(free - kept, free / 2)
    }

    /// How many descriptors the program that has started this one has left open. The few that this
    /// one has opened by now are among those that are kept. Large numbers are not looked for.
    private static func inherited(below limit: Int) -> Int {
        let open = (0..<Int32(clamping: min(limit, 65536))).count { fcntl($0, F_GETFD) >= 0 }
        return max(open - own, 0)
    }
}
