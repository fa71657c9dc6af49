import Glibc

/// A program that a test started, and that ends with this value: killed, and waited for.
///
/// Start it from the thread that also ends it: the daemons' scripts take the end of the thread
/// that started them for the end of the test.
public final class RunningProcess {
    private let process: pid_t

    /// Whether it has not ended by itself.
    public var isRunning: Bool {
        var information = siginfo_t()
        let outcome = waitid(P_PID, id_t(process), &information, WEXITED | WNOHANG | WNOWAIT)
        return outcome == 0 && information.si_signo == 0
    }

    public init?(_ arguments: [String]) {
        guard let path = arguments.first else { return nil }
        var started: pid_t = 0
        let pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        guard posix_spawn(&started, path, nil, nil, pointers, environ) == 0 else { return nil }
        process = started
    }

    deinit {
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
    }
}
