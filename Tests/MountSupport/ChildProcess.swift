import Glibc
import Synchronization

/// How a process ended.
public enum ExitStatus: Hashable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case signalled(Int32)

    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .signalled(signal)
    }

    public var description: String {
        switch self {
        case .exited(let code): "exit \(code)"
        case .signalled(let signal): "signal \(signal)"
        }
    }
}

/// A process of the tests' own, the leader of a process group.
///
/// By posix_spawn(2), and not swift-subprocess: it must be started by one thread that lives, it
/// outlives the scope that started it, and one that is stuck in the kernel must not be waited for.
public final class ChildProcess: Sendable {
    public let id: Int32
    /// What it was started as.
    public let command: String
    /// The files that take its standard output and error. One file may take both.
    public let output, errors: String
    private let end = Mutex<ExitStatus?>(nil)

    private init(id: Int32, command: String, output: String, errors: String) {
        self.id = id
        self.command = command
        self.output = output
        self.errors = errors
    }

    /// Starts a program, found in `PATH`, with its standard output and error going to files.
    public static func start(
        _ arguments: [String],
        environment: [String: String],
        output: String,
        errors: String
    ) async throws(TestFailure) -> ChildProcess {
        let variables = environment.map { "\($0)=\($1)" }
        let result = await LivingThread.shared.run {
            spawn(arguments, variables, output: output, errors: errors)
        }
        let command = arguments.joined(separator: " ")
        guard result.error == 0 else {
            throw TestFailure("cannot start \(command): \(String(cString: strerror(result.error)))")
        }
        return ChildProcess(id: result.id, command: command, output: output, errors: errors)
    }

    /// How it ended, or nil while it runs.
    public var status: ExitStatus? {
        end.withLock { end in
            if end == nil {
                var status: Int32 = 0
                if waitpid(id, &status, WNOHANG) == id { end = ExitStatus(waitStatus: status) }
            }
            return end
        }
    }

    /// Sends a signal to the process alone.
    public func signal(_ signal: Int32) {
        if status == nil { kill(id, signal) }
    }

    /// Kills what is left of its process group. The group's number is taken as long as a process
    /// is in it.
    public func killGroup() {
        kill(-id, SIGKILL)
    }

    /// Waits for the end.
    ///
    /// - Returns: nil when it is still running after `limit`.
    public func wait(upTo limit: Duration = patience) async throws -> ExitStatus? {
        _ = try await becomesTrue(within: limit) { status != nil }
        return status
    }
}

private struct Spawned: Sendable {
    var id: Int32 = 0
    var error: Int32 = 0
}

private func spawn(
    _ arguments: [String],
    _ variables: [String],
    output: String,
    errors: String
) -> Spawned {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let flags = O_WRONLY | O_CREAT | O_APPEND
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, flags, 0o600)
    if errors == output {
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
    } else {
        posix_spawn_file_actions_addopen(&actions, 2, errors, flags, 0o600)
    }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
        &attributes,
        Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)
    )

    var spawned = Spawned()
    let program = arguments[0]
    withCStrings(arguments) { arguments in
        withCStrings(variables) { variables in
            spawned.error = posix_spawnp(
                &spawned.id,
                program,
                &actions,
                &attributes,
                arguments,
                variables
            )
        }
    }
    return spawned
}

private func withCStrings(
    _ strings: [String],
    _ body: ([UnsafeMutablePointer<CChar>?]) -> Void
) {
    let copies = strings.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    body(copies + [nil])
}
