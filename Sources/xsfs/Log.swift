import Glibc
import Logging
import Synchronization
import XenstoreProtocol

/// Where the program's log goes: standard error in the foreground, the system's log behind it.
enum Log {
    private static let usesSystemLog = Atomic(false)

    /// Makes the logger of the program. Once.
    static func start() -> Logger {
        LoggingSystem.bootstrap { _ in Handler() }
        return Logger(label: "xsfs")
    }

    static func useSystemLog() {
        openlog(nil, LOG_PID, LOG_DAEMON)
        usesSystemLog.store(true, ordering: .relaxed)
    }

    private struct Handler: LogHandler {
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            if Log.usesSystemLog.load(ordering: .relaxed) {
                // The text is an argument, never the format.
                "\(event.message)".printable.withCString { text in
                    withVaList([text]) { vsyslog(Self.priority(event.level), "%s", $0) }
                }
            } else {
                Message.tell("\(event.message)")
            }
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
