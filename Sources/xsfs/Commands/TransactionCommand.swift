import ArgumentParser
import Glibc
import SystemPackage
import XenstoreProtocol

/// `xsfs transaction MOUNTPOINT -- COMMAND [ARGUMENT...]`
struct TransactionCommand: ParsableCommand {
    /// EX_TEMPFAIL of sysexits(3).
    private static let conflict: Int32 = 75
    /// What timeout(1) and env(1) end with when they fail themselves.
    private static let ownFailure: Int32 = 125

    static let configuration = CommandConfiguration(
        commandName: "transaction",
        abstract: "Run a command in a transaction of a mounted store.",
        discussion: """
            The command's working directory is a copy of the mount's root in which it alone works. \
            Where it ends with status 0, all that it did there happens at once; otherwise nothing. \
            If other clients have changed what it rests on, or the store has lost the copy, it is \
            run again on a new copy. \
            $XSFS_TRANSACTION is the directory.

            Status: that of the command; 75 where each try met a conflict; 125 where the \
            transaction cannot be begun or committed, 126 and 127 where the command cannot be run \
            or is not found; 128 and the number of the signal that ended it.
            """
    )

    @Option(
        help: ArgumentHelp("How often to run the command again after a conflict.", valueName: "n")
    )
    var retries = RetryPolicy.standard.attempts - 1

    @Argument(help: "Where the store is mounted.", completion: .directory)
    var mountpoint: String

    @Argument(parsing: .postTerminator, help: "The command, after --.")
    var command: [String]

    func validate() throws {
        guard retries >= 0 else { throw ValidationError("--retries cannot be negative") }
        guard !command.isEmpty else { throw ValidationError("no command follows --") }
    }

    func run() throws {
        let place = try absolutePath(mountpoint) + "/.txn"
        let policy = RetryPolicy.upTo(min(retries, .max - 1) + 1)
        for attempt in 1...policy.attempts {
            let directory = "\(place)/command-\(getpid())-\(attempt)"
            guard mkdir(directory, 0o700) == 0 else {
                throw failure("cannot begin a transaction in \(place)")
            }
            let status: Int32
            do {
                status = try ForegroundProcess.run(command, in: directory)
            } catch {
                rmdir(directory)
                throw error
            }
            if status == 0 {
                if rename(directory, place + "/commit") == 0 { return }
                guard errno == EAGAIN else { throw failure("cannot commit") }
            } else {
                let isLost = isLost(directory)
                rmdir(directory)
                guard isLost else { throw ExitCode(status) }
            }
            guard let pause = policy.pause(after: attempt) else { break }
            usleep(UInt32(pause / .microseconds(1)))
        }
        throw CommandError(
            "other clients were in the way \(policy.attempts) times; "
                + "\(place)/.conflict tells of the last",
            status: Self.conflict
        )
    }

    /// Whether the store does not have a transaction any more: then the command has found nothing
    /// in it, and failed for that.
    private func isLost(_ directory: String) -> Bool {
        var status = stat()
        return stat(directory, &status) != 0 && errno == EAGAIN
    }

    private func failure(_ what: String) -> CommandError {
        CommandError("\(what): \(Errno(rawValue: errno))", status: Self.ownFailure)
    }
}
