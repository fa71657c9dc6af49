/// What the kernel asks a filesystem for: the operations of FUSE (`enum fuse_opcode`) that the
/// mount answers.
public enum KernelOperation: Int, CaseIterable, Sendable {
    case lookup
    case forget
    case getattr
    case setattr
    case access
    case getxattr
    case setxattr
    case listxattr
    case removexattr
    case mkdir
    case mknod
    case unlink
    case rmdir
    case rename
    case create
    case open
    case read
    case write
    case flush
    case release
    case opendir
    case readdirplus
    case releasedir
    case poll

    /// Whether its time is counted. The kernel awaits no answer to FORGET, and POLL has one at
    /// once.
    var isTimed: Bool { self != .forget && self != .poll }

    /// The kernel's name of it, such as `LOOKUP`.
    public var name: String { "\(self)".uppercased() }
}

/// What a request of the kernel is about.
public enum RequestSubject: Sendable {
    case inode(InodeNumber)
    case name(String, in: InodeNumber)
    case names(String, in: InodeNumber, new: String, newIn: InodeNumber)
    case handle(HandleID)
    case directoryHandle(HandleID)
}

extension String {
    /// A path of the mount with a name behind it.
    func appending(name: String) -> String { self == "/" ? "/\(name)" : "\(self)/\(name)" }
}

/// A request of the kernel that was not answered yet.
public struct PendingRequest: Sendable {
    public let operation: KernelOperation
    /// As ``MountOperations/path(of:)`` gives it.
    public let path: String
    public let caller: CallerID
    /// The name of the calling program, as the kernel has it (`/proc/PID/comm`).
    public let command: String
    /// How long it has waited.
    public let age: Duration

    public init(
        operation: KernelOperation,
        path: String,
        caller: CallerID,
        command: String,
        age: Duration
    ) {
        self.operation = operation
        self.path = path
        self.caller = caller
        self.command = command
        self.age = age
    }
}
