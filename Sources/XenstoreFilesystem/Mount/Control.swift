/// What is in the mount beside the keys, by fixed numbers of ``FilesystemID/control``.
enum Control: Hashable {
    /// `.txn`: a directory for each open transaction.
    case transactions
    /// `.txn/.conflict`: why the last commit failed.
    case conflict
    /// `.xsfs`: what the mount and its store are asked and told beside keys.
    case directory
    /// `.xsfs/ctl`: takes commands.
    case commands
    /// `.xsfs/status`
    case status
    /// `.xsfs/log`: the lines that were logged last, and those that follow.
    case log
    /// `.changes` in the root of a transaction: what that would do.
    case changes(of: FilesystemID)

    /// What the number of `.changes` is above by its transaction's.
    private static let firstChanges: UInt64 = 1 << 32

    /// Finds what a number stands for, if it is none of a key's or a transaction's.
    init?(_ inode: InodeNumber) {
        guard FilesystemID(of: inode) == .control else { return nil }
        let number = inode.rawValue - FilesystemID.control.base
        switch number {
        case 1: self = .transactions
        case 2: self = .conflict
        case 3: self = .directory
        case 4: self = .commands
        case 5: self = .status
        case 6: self = .log
        case Self.firstChanges...:
            self = .changes(of: FilesystemID(rawValue: number - Self.firstChanges))
        default: return nil
        }
    }

    var inode: InodeNumber { InodeNumber(rawValue: FilesystemID.control.base + number) }

    private var number: UInt64 {
        switch self {
        case .transactions: 1
        case .conflict: 2
        case .directory: 3
        case .commands: 4
        case .status: 5
        case .log: 6
        case .changes(let transaction): Self.firstChanges + transaction.rawValue
        }
    }

    var isDirectory: Bool { self == .transactions || self == .directory }

    /// The permission bits, before the mount's umask.
    var mode: UInt32 { isDirectory ? 0o700 : self == .commands ? 0o600 : 0o400 }

    // MARK: Names

    static let transactionsName = ".txn"
    static let conflictName = ".conflict"
    static let directoryName = ".xsfs"
    static let commandsName = "ctl"
    static let statusName = "status"
    static let logName = "log"
    static let changesName = ".changes"

    /// What a transaction is renamed to.
    static let commitName = "commit"

    /// Whether a name is none of a directory of keys, although it is in one.
    static func hasName(_ name: String, in directory: InodeNumber) -> Bool {
        if directory == .root { return name == transactionsName || name == directoryName }
        return directory == FilesystemID(of: directory).root && name == changesName
    }
}
