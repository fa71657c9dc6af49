import Synchronization

/// What a command printed, and how it ended.
public struct CommandResult: Sendable, CustomStringConvertible {
    public var status: ExitStatus
    public var output: String
    public var errors: String

    public var description: String {
        "\(status), output \(Self.shortened(output)), errors \(Self.shortened(errors))"
    }

    private static func shortened(_ text: String) -> String {
        text.count <= 2000 ? text.debugDescription : text.prefix(2000).debugDescription + "..."
    }

    /// The lines of the output.
    public var lines: [String] { output.split(separator: "\n").map(String.init) }
}

/// Gives each command files of its own.
private let count = Atomic(0)

/// A place of its own for one test: a temporary directory, and commands that run with a time limit.
public final class Shell: Sendable {
    /// The temporary directory, `$T` to the commands.
    public let directory: String
    private let environment: [String: String]

    init(directory: String, environment: [String: String]) {
        self.directory = directory
        self.environment = environment
    }

    /// The same place with more variables.
    public func adding(_ variables: [String: String]) -> Shell {
        let all = environment.merging(variables) { $1 }
        return Shell(directory: directory, environment: all)
    }

    /// Runs a script of bash, in the directory `$M` where that is set.
    ///
    /// - Throws: ``TestFailure`` when it does not end in time; it is killed, with all that it
    ///   started, and if that does not help either the failure says where it is stuck.
    public func run(
        _ script: String,
        limit: Duration = patience
    ) async throws -> CommandResult {
        let process = try await start(script)
        let status = try await process.wait(upTo: limit)
        process.killGroup()
        guard let status else {
            let isDead = try await process.wait() != nil
            let state = isDead ? "killed" : "stuck, even after SIGKILL: \(whereabouts(process.id))"
            throw TestFailure("not done after \(limit) and \(state): \(script)\n\(result(process))")
        }
        var result = result(process)
        result.status = status
        return result
    }

    /// Starts a script of bash that goes on by itself. Whoever starts it ends it.
    public func start(_ script: String) async throws -> ChildProcess {
        let enter = environment["M"] == nil ? "" : "cd \"$M\" || exit 99\n"
        return try await start(["bash", "-c", enter + script])
    }

    /// Starts a program that goes on by itself. Whoever starts it ends it.
    public func start(_ arguments: [String], log: String? = nil) async throws -> ChildProcess {
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        let base = "\(directory)/command-\(number)"
        return try await .start(
            arguments,
            environment: environment,
            output: log ?? base + ".out",
            errors: log ?? base + ".err"
        )
    }

    /// What a process has printed up to now; its status is meaningless while it runs.
    public func result(_ process: ChildProcess) -> CommandResult {
        CommandResult(
            status: process.status ?? .exited(-1),
            output: readFile(process.output) ?? "",
            errors: readFile(process.errors) ?? ""
        )
    }
}

/// What the kernel says of a process and its group.
public func whereabouts(_ id: Int32) -> String {
    let state = readFile("/proc/\(id)/stat") ?? "gone"
    return state + (readFile("/proc/\(id)/stack") ?? "")
}
