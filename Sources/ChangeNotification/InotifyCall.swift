public import XenstoreProtocol

/// A system call that the inotify agent makes on the mount: with it the kernel raises an inotify
/// event for what another client has done. The call is answered from memory and changes nothing.
public struct InotifyCall: Hashable, Sendable {
    /// Which call it is.
    public enum Operation: Hashable, Sendable {
        case create
        case makeDirectory
        case modify
        case changeAttributes
        case remove
        case removeDirectory

        /// The name for the log: that of the system call, or inotify's where it is several.
        public var name: String {
            switch self {
            case .create: "create"
            case .makeDirectory: "mkdir"
            case .modify: "modify"
            case .changeAttributes: "attrib"
            case .remove: "unlink"
            case .removeDirectory: "rmdir"
            }
        }
    }

    public var operation: Operation
    /// The path on the mount, without a slash at its beginning.
    public var path: String

    public init(_ operation: Operation, at path: String) {
        self.operation = operation
        self.path = path
    }
}

/// How far the agent is with a call, and what has come between.
struct Progress {
    var isMadeAgain = false
    var isLookedUp = false
    /// Whether the call that matters has come.
    var isDone = false
    /// Whether it was sent to a process that died.
    var wasSent = false
}

/// A call that the agent is still to make, and what the requests that come of it are answered with.
public final class PendingCall<Tree: WatchedTree> {
    public let operation: InotifyCall.Operation
    public let directory: Tree.Inode
    /// Empty for the root of the mount itself.
    public let name: String
    /// What it is that the name leads to: the directory's own value for `.value`.
    public var isOwnValue: Bool { name == OwnValue.name }
    public let isOfDirectory: Bool
    /// Of the moment at which the store was asked what has happened.
    public let version: Tree.Version
    /// What the kernel is given of it.
    public private(set) var shown: (permissions: Permissions, size: Int)
    /// Whether a file goes where a directory comes, or the other way round: the key is there.
    public let isReshaping: Bool
    /// The names of the children that a directory is made with, each followed by a zero.
    public let childNames: [UInt8]?
    /// How far the agent is with it.
    var progress = Progress()
    /// Whether the change has happened; nil while the store is still asked.
    private(set) var isTrue: Bool?
    private var waiters: [(Bool) -> Void] = []

    init(
        _ operation: InotifyCall.Operation,
        _ name: String,
        in directory: Tree.Inode,
        isOfDirectory: Bool,
        _ permissions: Permissions,
        size: Int,
        childNames: [UInt8]? = nil,
        isReshaping: Bool = false,
        asOf version: Tree.Version
    ) {
        self.operation = operation
        self.directory = directory
        self.name = name
        self.isOfDirectory = isOfDirectory
        shown = (permissions, size)
        self.childNames = childNames
        self.isReshaping = isReshaping
        self.version = version
        isTrue = true
    }

    /// That the content of a file has changed, as most changes do, before the store has said so:
    /// the agent is on its way when the answer comes. It waits for ``confirm(_:size:)`` or
    /// ``cancel()``.
    init(speculating name: String, in directory: Tree.Inode, asOf version: Tree.Version) {
        operation = .modify
        self.directory = directory
        self.name = name
        isOfDirectory = false
        shown = (Permissions(owner: .privileged), 0)
        childNames = nil
        isReshaping = false
        self.version = version
    }

    /// The content of a file has changed, as expected.
    func confirm(_ permissions: Permissions, size: Int) {
        shown = (permissions, size)
        decide(true)
    }

    /// Something else has happened than was expected, or it is not known in time.
    public func cancel() { answer(false) }

    /// The store is asked once more whether it has happened.
    public func askAgain() { isTrue = nil }

    /// The store has said whether it has happened.
    public func answer(_ isTrue: Bool) {
        if self.isTrue == nil { decide(isTrue) }
    }

    /// Calls back with whether the change has happened, as soon as that is known.
    public func whenKnown(_ action: @escaping (Bool) -> Void) {
        guard let isTrue else { return waiters.append(action) }
        action(isTrue)
    }

    private func decide(_ isTrue: Bool) {
        self.isTrue = isTrue
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters { waiter(isTrue) }
    }

    /// Whether the key was seen since it was found to be gone: it was made again, and must not be
    /// removed.
    public var isMadeAgain: Bool { progress.isMadeAgain }

    /// Whether the agent has looked it up: the kernel asks for the name each time that it is used.
    public var isLookedUp: Bool { progress.isLookedUp }

    /// The agent has looked it up.
    public func lookedUp() { progress.isLookedUp = true }

    public var isRemoval: Bool { operation == .remove || operation == .removeDirectory }

    var place: DentryKey { DentryKey(directory: directory.number, name: name) }
}

/// The name by which a directory has its own value.
public enum OwnValue {
    public static let name = ".value"
}

/// Where a key is.
public struct DentryKey: Hashable, Sendable {
    /// The number of the directory.
    public let directory: UInt64
    public let name: String

    public init(directory: UInt64, name: String) {
        self.directory = directory
        self.name = name
    }
}
