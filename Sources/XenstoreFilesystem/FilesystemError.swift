public import XenstoreProtocol

/// What a system call on the mount fails with. The raw values are Linux's error numbers.
public enum FilesystemError: Int32, Error, Hashable, Sendable {
    case notPermitted = 1
    case noEntry = 2
    case interrupted = 4
    case inputOutput = 5
    case badHandle = 9
    case again = 11
    case noMemory = 12
    case accessDenied = 13
    case busy = 16
    case exists = 17
    case crossDevice = 18
    case notDirectory = 20
    case isDirectory = 21
    case invalid = 22
    case tooLarge = 27
    case noSpace = 28
    case readOnly = 30
    case range = 34
    case nameTooLong = 36
    case notEmpty = 39
    case noData = 61
    case notSupported = 95
    case isConnected = 106
    case stale = 116
    case quotaExceeded = 122

    /// The error number of an error of the store or of the way to it: the one table.
    public init(_ error: XenstoreError) {
        self =
            switch error {
            case .refused(let code): Self(code)
            case .tooLarge: .tooLarge
            case .tooMany: .again
            // Whether the store is gone or talks nonsense is in the log and in the status.
            case .disconnected, .timedOut, .malformedReply: .inputOutput
            case .cancelled: .interrupted
            }
    }

    /// The error number of an error that a request about a path met.
    ///
    /// The paths that are sent are legal, so a store that calls one invalid has a tighter limit:
    /// C xenstored takes 2048 bytes, oxenstored 1024.
    init(_ error: XenstoreError, at path: XenstorePath) {
        if error == .refused(.invalid), path.text.utf8.count >= Self.shortestPathLimit {
            self = .nameTooLong
        } else {
            self.init(error)
        }
    }

    private static let shortestPathLimit = 1024

    private init(_ code: StoreErrorCode) {
        self =
            switch code {
            case .invalid: .invalid
            case .accessDenied: .accessDenied
            case .exists: .exists
            case .isDirectory: .isDirectory
            case .noEntry: .noEntry
            case .noMemory: .noMemory
            case .noSpace: .noSpace
            case .ioError: .inputOutput
            case .notEmpty: .notEmpty
            // ENOSYS would make the kernel give up the whole operation for the mount's life.
            case .notImplemented: .notSupported
            case .readOnly: .readOnly
            case .busy: .busy
            case .again: .again
            case .isConnected: .isConnected
            // "Argument list too long" would puzzle; the value is what is too long.
            case .tooBig: .tooLarge
            case .notPermitted: .notPermitted
            case .quota: .quotaExceeded
            case .other: .inputOutput
            }
    }

    /// The error number of a path that cannot be one.
    init(_ error: PathError) {
        self =
            switch error {
            case .tooLong: .nameTooLong
            // A name outside the alphabet can never be a key, so none is there.
            case .empty, .illegalCharacter, .emptyComponent: .noEntry
            }
    }

    /// The name that errno(3) has for it.
    public var name: String {
        switch self {
        case .notPermitted: "EPERM"
        case .noEntry: "ENOENT"
        case .interrupted: "EINTR"
        case .inputOutput: "EIO"
        case .badHandle: "EBADF"
        case .again: "EAGAIN"
        case .noMemory: "ENOMEM"
        case .accessDenied: "EACCES"
        case .busy: "EBUSY"
        case .exists: "EEXIST"
        case .crossDevice: "EXDEV"
        case .notDirectory: "ENOTDIR"
        case .isDirectory: "EISDIR"
        case .invalid: "EINVAL"
        case .tooLarge: "EFBIG"
        case .noSpace: "ENOSPC"
        case .readOnly: "EROFS"
        case .range: "ERANGE"
        case .nameTooLong: "ENAMETOOLONG"
        case .notEmpty: "ENOTEMPTY"
        case .noData: "ENODATA"
        case .notSupported: "EOPNOTSUPP"
        case .isConnected: "EISCONN"
        case .stale: "ESTALE"
        case .quotaExceeded: "EDQUOT"
        }
    }
}
