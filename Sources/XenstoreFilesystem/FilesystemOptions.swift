public import XenstoreProtocol

/// How a mount shows the store.
public struct FilesystemOptions: Hashable, Sendable {
    /// How a value reads.
    public enum ValueForm: Hashable, Sendable {
        /// A newline follows a value that is not empty; one at the end of what is written goes.
        case text
        /// The exact bytes, both ways.
        case raw
    }

    /// What the kernel may keep without asking.
    public enum Cache: Hashable, Sendable {
        /// Names alone.
        case strict
        /// Attributes, listings and contents too, until an event of the watch takes them back.
        case watch
    }

    /// Who owns files, to the kernel.
    public enum Ownership: Hashable, Sendable {
        /// The user whose number is the owner domain's.
        case domain
        /// One user, whoever the domain is.
        case user(UInt32)
    }

    /// The key that is the root of the mount; absolute.
    public var subtree: XenstorePath
    public var valueForm: ValueForm
    /// How a key shows that has neither value nor children.
    public var emptyKeyKind: EmptyKeyKind
    public var ownership: Ownership
    public var groupID: UInt32
    /// Permission bits that nobody gets.
    public var umask: UInt32
    /// Refuse every change with EROFS.
    public var isReadOnly: Bool
    /// Whether the store refuses this client nothing.
    public var isPrivileged = true
    /// Whether the store may refuse this client a write, so that it is asked at each opening for
    /// writing. A privileged client need not.
    public var asksForWriting: Bool
    /// The domain that this client is, where that is a guest with a key that says so. A key that it
    /// may write by the key's permissions is not asked for.
    public var ownDomain: DomainID?
    public var cache: Cache
    /// Whether users other than the one who mounts may use the mount, with the kernel's checks of
    /// owners and modes.
    public var letsOthersIn: Bool

    public init(
        subtree: XenstorePath = .root,
        valueForm: ValueForm = .text,
        emptyKeyKind: EmptyKeyKind = .known,
        ownership: Ownership = .domain,
        groupID: UInt32 = 0,
        umask: UInt32 = 0,
        isReadOnly: Bool = false,
        asksForWriting: Bool = false,
        ownDomain: DomainID? = nil,
        cache: Cache = .strict,
        letsOthersIn: Bool = false
    ) {
        self.subtree = subtree
        self.valueForm = valueForm
        self.emptyKeyKind = emptyKeyKind
        self.ownership = ownership
        self.groupID = groupID
        self.umask = umask
        self.isReadOnly = isReadOnly
        self.asksForWriting = asksForWriting
        self.ownDomain = ownDomain
        self.cache = cache
        self.letsOthersIn = letsOthersIn
    }

    /// The user who Linux shows where there is none.
    private static var nobody: UInt32 { 65534 }

    /// The user whom the owner of a key stands for.
    func userID(of permissions: Permissions) -> UInt32 {
        switch ownership {
        // The kernel takes one of these for no number at all.
        case .domain: permissions.owner.isPossible ? permissions.owner.rawValue : Self.nobody
        case .user(let id): id
        }
    }
}

extension FilesystemOptions.ValueForm {
    /// What a file with this value reads as.
    func content(of value: [UInt8]) -> [UInt8] {
        switch self {
        case .text: value.isEmpty ? [] : value + [UInt8(ascii: "\n")]
        case .raw: value
        }
    }

    /// The size of what a file with this value reads as.
    func size(of value: [UInt8]) -> Int {
        switch self {
        case .text: value.isEmpty ? 0 : value.count + 1
        case .raw: value.count
        }
    }

    /// The value that a file with this content stands for.
    func value(of content: [UInt8]) -> [UInt8] {
        switch self {
        case .text: content.last == UInt8(ascii: "\n") ? Array(content.dropLast()) : content
        case .raw: content
        }
    }
}
