import Glibc
import SystemPackage

/// A command that runs in the place of this one, and that this one waits for.
enum ForegroundProcess {
    /// Runs a command to its end. Signals that are to end this process end the command instead, so
    /// that what was begun for it can be put away.
    ///
    /// - Parameter arguments: the command, which is looked for in `$PATH`, and its arguments.
    /// - Returns: its status; 128 and the number of the signal that ended it.
    /// - Throws: ``CommandError`` with status 126 or 127 where it cannot be run.
    static func run(_ arguments: [String], in directory: String) throws -> Int32 {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
            sigaddset(&signals, signal)
        }
        var old = sigset_t()
        sigprocmask(SIG_BLOCK, &signals, &old)
        defer { sigprocmask(SIG_SETMASK, &old, nil) }
        let process = try spawn(arguments, in: directory, signalMask: old)
        var status: Int32 = 0
        while waitpid(process, &status, WNOHANG) == 0 {
            var signal: Int32 = 0
            sigwait(&signals, &signal)
            // A terminal sends the other two to the command itself.
            if signal == SIGTERM || signal == SIGHUP { kill(process, signal) }
        }
        let endingSignal = status & 0x7f
        return endingSignal == 0 ? status >> 8 & 0xff : 128 + endingSignal
    }

    private static func spawn(
        _ arguments: [String],
        in directory: String,
        signalMask: sigset_t
    ) throws -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var mask = signalMask
        posix_spawnattr_setsigmask(&attributes, &mask)

        // The command begins where this process is.
        guard chdir(directory) == 0 else {
            throw CommandError("cannot go to \(directory): \(Errno(rawValue: errno))", status: 126)
        }
        defer { chdir("/") }
        setenv("XSFS_TRANSACTION", directory, 1)
        setenv("PWD", directory, 1)
        let words = arguments.map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var process: pid_t = 0
        let error = posix_spawnp(&process, arguments[0], nil, &attributes, words, environ)
        guard error == 0 else {
            throw CommandError(
                "cannot run \(arguments[0]): \(Errno(rawValue: error))",
                status: error == ENOENT ? 127 : 126
            )
        }
        return process
    }
}
