import Glibc

/// How many descriptors the process may have open.
enum DescriptorLimit {
    /// Descriptors that guests' connections leave to the rest: to the privileged domain's, to the
    /// sockets that are listened at, to files.
    private static let kept = 128

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
        return max(count - kept, count / 2)
    }
}
