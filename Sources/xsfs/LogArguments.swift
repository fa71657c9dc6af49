import ArgumentParser
import Glibc

/// What a daemon logs.
struct LogArguments: ParsableArguments {
    @Option(
        name: .customLong("log"),
        help: ArgumentHelp(
            "What to log: a level, or a level for each area.",
            discussion: """
                AREA=LEVEL, with commas between. Areas: mount, fuse (the kernel's requests), store \
                (requests to the store), inotify (why an event is raised), cache (what the kernel \
                is to forget). Levels: trace, debug, info, notice, warning, error, critical. \
                Without it, $XSFS_LOG says. SIGUSR2 traces everything, and ends that. A mount \
                shows its own log in .xsfs/log.
                """,
            valueName: "levels"
        )
    )
    var levels: String?

    @Flag(help: "Log values, which may be secrets, and not their lengths alone.")
    var logValues = false

    /// - Throws: ``CommandError`` for a level or an area that there is not.
    func levels(isDebugging: Bool) throws -> LogLevels {
        if let levels { return try LogLevels(parsing: levels) }
        if isDebugging { return .debug }
        let text = getenv("XSFS_LOG").map { String(cString: $0) } ?? ""
        // A variable that is empty says no more than one that is not there.
        return text.isEmpty ? LogLevels() : try LogLevels(parsing: text)
    }
}
