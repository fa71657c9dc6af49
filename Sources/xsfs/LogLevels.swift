import Logging
import Synchronization

/// A part of the program that logs by itself.
enum LogArea: Int, CaseIterable {
    /// The program: what goes wrong, and how it stands with the store.
    case mount
    /// The kernel's requests.
    case fuse
    /// Requests to the store, and the messages of the protocol.
    case store
    /// Which changes inotify is called for, and why.
    case inotify
    /// What the kernel is to forget, and why.
    case cache

    /// The label of the area's logger.
    var label: String { self == .mount ? "xsfs" : "xsfs.\(self)" }

    init?(label: String) {
        guard let area = Self.allCases.first(where: { $0.label == label }) else { return nil }
        self = area
    }

    init?(named name: some StringProtocol) {
        guard let area = Self.allCases.first(where: { "\($0)" == name }) else { return nil }
        self = area
    }
}

/// From which level on each area logs.
struct LogLevels: Equatable {
    /// An area's level takes 8 bits.
    private(set) var packed: UInt64 = 0

    subscript(area: LogArea) -> Logger.Level {
        get { Self.level(of: area, in: packed) }
        set {
            let shift = UInt64(area.rawValue) * 8
            packed = packed & ~(0xff << shift) | UInt64(Self.number(newValue)) << shift
        }
    }

    init(all level: Logger.Level = .info) {
        for area in LogArea.allCases { self[area] = level }
    }

    /// What `-d` shows.
    static var debug: LogLevels {
        var levels = LogLevels(all: .debug)
        levels[.fuse] = .trace
        return levels
    }

    /// Takes `LEVEL`, for all areas, or `AREA=LEVEL`, several with commas between.
    ///
    /// - Throws: ``CommandError`` for a word that is neither.
    init(parsing text: String) throws {
        self.init()
        var named: [(LogArea, Logger.Level)] = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let last = parts.last, let level = Logger.Level(rawValue: String(last)) else {
                throw CommandError(
                    "'\(word)' names no level of the log: they are "
                        + Logger.Level.allCases.map(\.rawValue).joined(separator: ", "),
                    status: CommandError.usage
                )
            }
            guard parts.count == 2 else {
                self = LogLevels(all: level)
                continue
            }
            guard let area = LogArea(named: parts[0]) else {
                throw CommandError(
                    "'\(parts[0])' is no area of the log: they are "
                        + LogArea.allCases.map { "\($0)" }.joined(separator: ", "),
                    status: CommandError.usage
                )
            }
            named.append((area, level))
        }
        // A level for all is for those that have none of their own.
        for (area, level) in named { self[area] = level }
    }

    // In the order of importance, which the raw values of the library do not have.

    static func level(of area: LogArea, in packed: UInt64) -> Logger.Level {
        let number = packed >> (UInt64(area.rawValue) * 8) & 0xff
        return all[Int(number)]
    }

    private static func number(_ level: Logger.Level) -> Int { all.firstIndex(of: level) ?? 0 }

    private static let all = Logger.Level.allCases
}
