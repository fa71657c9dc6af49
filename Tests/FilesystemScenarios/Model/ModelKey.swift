import XenstoreFilesystem
import XenstoreProtocol

/// A key as the model knows it: what the store holds, and what the mount remembers of its shape.
final class ModelKey {
    var value: [UInt8] = []
    var permissions: Permissions
    var children: [String: ModelKey] = [:]
    /// Scratch files in it, which the store does not know.
    var scratch: [String: ModelScratch] = [:]

    /// What it stays while it is empty.
    var emptyKind: FileKind?
    /// Whether this mount made it as a directory, or took a child from it.
    var isKept = false
    /// Whether this mount made it by mkdir: its maker does not see `.value` before it is written.
    var isMadeHere = false
    /// Whether the mount had no chance to see all that happened to it, so that it may have either
    /// shape while it has no children.
    var isUncertain = false

    init(_ permissions: Permissions) {
        self.permissions = permissions
    }

    /// Nil where SEMANTICS.md leaves it open.
    var kind: FileKind? {
        if !children.isEmpty || isKept && value.isEmpty { return .directory }
        // It stays a directory while the kernel knows it, and no longer.
        if isUncertain || isKept { return nil }
        if !value.isEmpty { return .file }
        return emptyKind ?? .file
    }

    /// The mount has shown it as a file, where that was open.
    func wasShownAsFile() {
        isKept = false
    }

    /// The mount has been asked for it.
    func wasSeen() {
        if !children.isEmpty {
            emptyKind = .directory
        } else if !isKept, !value.isEmpty {
            emptyKind = .file
        }
    }

    /// What a file shows of the value.
    var content: [UInt8] { value.isEmpty ? [] : value + [UInt8(ascii: "\n")] }

    /// The value that a file's content stands for.
    static func value(of content: [UInt8]) -> [UInt8] {
        content.last == UInt8(ascii: "\n") ? Array(content.dropLast()) : content
    }

    /// The key and all below it.
    var subtree: [ModelKey] { [self] + children.values.flatMap(\.subtree) }
}

/// A scratch file.
final class ModelScratch {
    var content: [UInt8] = []
    private let inherited: Permissions
    private var chosen: Permissions?
    private(set) var chosenMode: UInt32?
    private(set) var chosenOwner: DomainID?
    /// The key that it was renamed to: who has it open writes there.
    var destination: ModelPlace?

    init(in directory: ModelKey) {
        inherited = directory.permissions
    }

    var permissions: Permissions { permissions(after: inherited) }

    var mode: UInt32 { chosenMode ?? permissions.mode(.file) }

    func set(_ permissions: Permissions) {
        (chosen, chosenOwner, chosenMode) = (permissions, permissions.owner, nil)
    }

    /// A list says nothing of the owner.
    func setEntries(of permissions: Permissions) { (chosen, chosenMode) = (permissions, nil) }

    /// - Returns: whether a key can have no more than that.
    func set(mode: UInt32) -> Bool {
        let known = chosen ?? Permissions(owner: DomainID(0))
        guard let changed = known.with(mode: mode, .file) else { return false }
        if chosen != nil { chosen = changed } else { chosenMode = mode & 0o666 }
        return true
    }

    func set(owner: DomainID) { chosenOwner = owner }

    /// The permissions of a key that takes its place: entries that were not set on it get no more
    /// than the mode says.
    func permissions(after current: Permissions) -> Permissions {
        var permissions = chosen ?? current
        permissions.owner = chosenOwner ?? current.owner
        guard let chosenMode else { return permissions }
        permissions.everyone = AccessMode(bits: chosenMode)
        permissions.entries = permissions.entries.map { entry in
            PermissionEntry(
                entry.domain,
                entry.access.intersection(AccessMode(bits: chosenMode / 8))
            )
        }
        return permissions
    }
}

/// Where a key is to whoever has it open: it follows renamings on this mount. Nil when it was
/// removed or replaced there.
final class ModelPlace {
    var path: [String]?
    /// What the key had when it was removed or replaced.
    var lastContent: [UInt8]?
    /// Whether others have removed the key: what was made there since may be another one's.
    var wasRemovedByOthers = false

    init(_ path: [String]) {
        self.path = path
    }
}

/// An open file.
final class ModelHandle {
    enum Target {
        case key(ModelPlace)
        case scratch(ModelScratch)
    }

    /// What was asked for and is still to be done.
    enum Pending {
        case nothing
        case untilRelease
        case untilClose
    }

    let target: Target
    let flags: OpenFlags
    /// Grows with each that is opened.
    var number = 0
    var content: [UInt8] = []
    var pending = Pending.nothing
    /// Whether something was read or written.
    var isUsed = false
    /// Whether what follows the content is asked for: a read has given nothing, or stat(2) more.
    var asksAtEnd = false
    /// Whether it was to make the key, and has not.
    var createsOnWrite = false
    /// The value that O_TRUNC was to empty.
    var hidden: [UInt8]?

    init(_ target: Target, _ flags: OpenFlags) {
        self.target = target
        self.flags = flags
    }

    /// Whether the program sees the file as it has made it, and the store has not.
    var hidesValue: Bool {
        pending == .untilClose
            || pending == .untilRelease && (!createsOnWrite || flags.contains(.truncate))
    }

    /// Another handle has changed the file.
    func follow(_ content: [UInt8]) {
        guard flags.contains(.write), pending == .nothing else { return }
        self.content = content
        asksAtEnd = false
    }

    /// The program sees the value's size: it can read as much.
    func show(_ value: [UInt8]) {
        guard pending == .nothing, value.count != content.count else { return }
        if !isUsed { content = value } else if value.count > content.count { asksAtEnd = true }
    }
}

extension Permissions {
    func mode(_ kind: FileKind) -> UInt32 {
        func bits(_ access: AccessMode) -> UInt32 {
            (access.contains(.read) ? 4 : 0) + (access.contains(.write) ? 2 : 0)
        }
        let others = bits(everyone)
        let group = entries.map { bits($0.access) }.reduce(others, |)
        let mode = 0o600 + group * 8 + others
        return kind == .file ? mode : mode | (mode & 0o444) / 4
    }

    /// With other rights for every domain; nil where somebody would get more than the mode says.
    func with(mode: UInt32, _ kind: FileKind) -> Permissions? {
        var changed = self
        changed.everyone = AccessMode(bits: mode)
        let isMore = changed.mode(kind) & ~mode != 0
        return isMore || mode > 0o777 ? nil : changed
    }
}

extension AccessMode {
    fileprivate init(bits: UInt32) {
        self = []
        if bits & 4 != 0 { insert(.read) }
        if bits & 2 != 0 { insert(.write) }
    }
}

extension [UInt8] {
    /// As truncate(2) does.
    func cut(to size: Int) -> [UInt8] {
        prefix(size) + [UInt8](repeating: 0, count: Swift.max(0, size - count))
    }

    /// As pwrite(2) does.
    func overwritten(with bytes: [UInt8], at offset: Int) -> [UInt8] {
        var content = cut(to: Swift.max(count, offset + bytes.count))
        content.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
        return content
    }
}
