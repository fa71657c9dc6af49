/// A request of the protocol, each operation with its arguments.
///
/// Types 0 to 26 but the two that only a server sends. Sizes and forms of the arguments are in
/// `docs/misc/xenstore.txt` of the Xen sources.
public enum Request: Hashable, Sendable {
    /// CONTROL: a command and its arguments for the server itself. Answers text.
    case control([[UInt8]])
    /// DIRECTORY: the names of a key's children.
    case directory(XenstorePath)
    /// READ: a key's value.
    case read(XenstorePath)
    /// GET_PERMS: a key's permissions.
    case getPermissions(XenstorePath)
    /// WATCH: asks for an event at each change of the path or below it, `depth` levels down if
    /// given. An event comes at once.
    case watch(XenstorePath, token: [UInt8], depth: UInt32? = nil)
    /// UNWATCH: ends the watch of this path and token.
    case unwatch(XenstorePath, token: [UInt8])
    /// TRANSACTION_START: answers the new transaction's number.
    case transactionStart
    /// TRANSACTION_END: commits, or forgets.
    case transactionEnd(commit: Bool)
    /// INTRODUCE: connects a new domain by the page and event channel of its ring.
    case introduce(DomainID, frame: Int64, eventChannel: UInt32)
    /// RELEASE: disconnects a domain.
    case release(DomainID)
    /// GET_DOMAIN_PATH: the home of a domain, existing or not.
    case getDomainPath(DomainID)
    /// WRITE: sets a key's value, and makes the key and its parents where missing.
    case write(XenstorePath, value: [UInt8])
    /// MKDIR: makes a key, and its parents, where missing.
    case makeDirectory(XenstorePath)
    /// RM: removes a key and all below it.
    case remove(XenstorePath)
    /// SET_PERMS: replaces a key's permissions.
    case setPermissions(XenstorePath, Permissions)
    /// IS_DOMAIN_INTRODUCED: answers `T` or `F`.
    case isDomainIntroduced(DomainID)
    /// RESUME: tells that a domain that was suspended runs again.
    case resume(DomainID)
    /// SET_TARGET: gives a stub domain the rights of its target.
    case setTarget(DomainID, target: DomainID)
    /// RESTRICT: gives up all rights but those of a domain. An extension: the protocol lost it.
    case restrict(DomainID)
    /// RESET_WATCHES: ends all watches and transactions of the connection.
    case resetWatches
    /// DIRECTORY_PART: the children of a large key, from a byte offset of their list on.
    case directoryPart(XenstorePath, offset: Int)
    /// GET_FEATURE: the features of the server, or those that a domain may see.
    case getFeature(DomainID?)
    /// SET_FEATURE: the features that a domain may see.
    case setFeature(DomainID, features: UInt32)
    /// GET_QUOTA: the names of the quotas; or the value of one, of a domain or of all.
    case getQuota(DomainID?, name: String?)
    /// SET_QUOTA: the value of a quota, of a domain or of all.
    case setQuota(DomainID?, name: String, value: UInt32)

    /// The type that the request's message has, and its reply.
    public var type: MessageType {
        switch self {
        case .control: .control
        case .directory: .directory
        case .read: .read
        case .getPermissions: .getPermissions
        case .watch: .watch
        case .unwatch: .unwatch
        case .transactionStart: .transactionStart
        case .transactionEnd: .transactionEnd
        case .introduce: .introduce
        case .release: .release
        case .getDomainPath: .getDomainPath
        case .write: .write
        case .makeDirectory: .makeDirectory
        case .remove: .remove
        case .setPermissions: .setPermissions
        case .isDomainIntroduced: .isDomainIntroduced
        case .resume: .resume
        case .setTarget: .setTarget
        case .restrict: .restrict
        case .resetWatches: .resetWatches
        case .directoryPart: .directoryPart
        case .getFeature: .getFeature
        case .setFeature: .setFeature
        case .getQuota: .getQuota
        case .setQuota: .setQuota
        }
    }

    /// Whether the server may change something for it. What only reads can be sent again.
    public var isReadOnly: Bool {
        switch self {
        case .directory, .read, .getPermissions, .getDomainPath, .isDomainIntroduced,
            .directoryPart, .getFeature, .getQuota:
            true
        case .control, .watch, .unwatch, .transactionStart, .transactionEnd, .introduce, .release,
            .write, .makeDirectory, .remove, .setPermissions, .resume, .setTarget, .restrict,
            .resetWatches, .setFeature, .setQuota:
            false
        }
    }

    /// The path that the request is about; nil where it is about no key.
    public var path: XenstorePath? {
        switch self {
        case .directory(let path), .read(let path), .getPermissions(let path),
            .watch(let path, _, _), .unwatch(let path, _), .write(let path, _),
            .makeDirectory(let path), .remove(let path), .setPermissions(let path, _),
            .directoryPart(let path, _):
            path
        case .control, .transactionStart, .transactionEnd, .introduce, .release, .getDomainPath,
            .isDomainIntroduced, .resume, .setTarget, .restrict, .resetWatches, .getFeature,
            .setFeature, .getQuota, .setQuota:
            nil
        }
    }

    /// The key that the request changes; nil where it changes none.
    public var changedPath: XenstorePath? {
        switch self {
        case .write, .makeDirectory, .remove, .setPermissions: path
        default: nil
        }
    }
}
