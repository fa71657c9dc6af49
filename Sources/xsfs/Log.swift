import Glibc
import Logging
import Synchronization
import XenstoreProtocol

/// Where the program's log goes: standard error in the foreground, the system's log behind it, and
/// `.xsfs/log` of the mount.
enum Log {
    static let history = LogHistory()
    private static let usesSystemLog = Atomic(false)
    /// The levels of all areas, as ``LogLevels`` packs them: each statement looks here.
    private static let levels = Atomic(LogLevels().packed)
    /// The levels to come back to when everything is no longer traced.
    private static let quietLevels = Mutex(LogLevels())

    /// Makes the loggers of the program. Once.
    static func start(_ levels: LogLevels = LogLevels()) {
        quietLevels.withLock { $0 = levels }
        Self.levels.store(levels.packed, ordering: .relaxed)
        LoggingSystem.bootstrap { label in Handler(area: LogArea(label: label) ?? .mount) }
    }

    static func logger(_ area: LogArea) -> Logger { Logger(label: area.label) }

    static func useSystemLog() {
        openlog(nil, LOG_PID, LOG_DAEMON)
        usesSystemLog.store(true, ordering: .relaxed)
    }

    /// Traces everything, or goes back to the levels that the program began with.
    ///
    /// - Returns: whether everything is traced now.
    static func toggleTrace() -> Bool {
        let quiet = quietLevels.withLock { $0.packed }
        let everything = LogLevels(all: .trace).packed
        let isTracing = levels.load(ordering: .relaxed) == everything
        // Where the program began with all of it, the other state is the usual one.
        let other = quiet == everything ? LogLevels().packed : quiet
        levels.store(isTracing ? other : everything, ordering: .relaxed)
        return !isTracing
    }

    private struct Handler: LogHandler {
        let area: LogArea
        var metadata: Logger.Metadata = [:]

        var logLevel: Logger.Level {
            get { LogLevels.level(of: area, in: levels.load(ordering: .relaxed)) }
            // The program sets the levels of all areas at one place.
            set {}
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let text = "\(event.message)".printable
            let marks = (event.metadata ?? [:]).map { "\($0)=\($1)" }.sorted()
            let mark = marks.isEmpty ? "" : "[\(marks.joined(separator: " "))] "
            let line = "\(Self.time()) \(area) \(event.level): \(mark)\(text)"
            Log.history.add(line)
            let isTrace = event.level <= .debug
            if Log.usesSystemLog.load(ordering: .relaxed) {
                // The text is an argument, never the format.
                (isTrace ? "\(area): \(mark)\(text)" : text).withCString { text in
                    withVaList([text]) { vsyslog(Self.priority(event.level), "%s", $0) }
                }
            } else if isTrace {
                Message.writeLine(line)
            } else {
                Message.tellWithoutWaiting(text)
            }
        }

        /// The time of day, as its clock shows it here.
        private static func time() -> String {
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            var parts = tm()
            localtime_r(&now.tv_sec, &parts)
            func digits(_ number: Int, _ count: Int) -> String {
                let text = String(number)
                return String(repeating: "0", count: max(count - text.count, 0)) + text
            }
            let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { digits(Int($0), 2) }
            return clock.joined(separator: ":") + "." + digits(now.tv_nsec / 1000, 6)
        }

        private static func priority(_ level: Logger.Level) -> Int32 {
            switch level {
            case .trace, .debug: LOG_DEBUG
            case .info: LOG_INFO
            case .notice: LOG_NOTICE
            case .warning: LOG_WARNING
            case .error: LOG_ERR
            case .critical: LOG_CRIT
            }
        }
    }
}
