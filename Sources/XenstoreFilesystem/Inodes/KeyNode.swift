import ChangeNotification
import XenstoreProtocol

/// A key that the kernel knows of, or that leads to one it knows of.
///
/// Holds what watches keep true (shape, permissions), never a value: those are asked for. There is
/// one for each key that the kernel knows, so each byte counts here.
final class KeyNode {
    /// Without its last bit, which says the kind, an inode's number is this one.
    let id: UInt64
    /// Of the root, the path that the mount shows as its root, and nothing for the store's own.
    private(set) var name: String
    /// Nil for the root, and for a key that was removed or replaced under an open handle.
    private(set) var parent: KeyNode?

    /// References that the kernel holds on each of the two inodes.
    var fileLookups: UInt64 = 0
    var directoryLookups: UInt64 = 0
    /// When it changed.
    var timed = TimeState()
    // Beside each other, as they leave no gap: a node takes 144 bytes of the heap.
    /// Known children: they need this node for their paths.
    var childCount: UInt32 = 0
    /// Open files on it.
    var handleCount: UInt32 = 0
    /// Open files that are to make the key at their first write.
    var deferredCreateCount: UInt32 = 0
    private var flags: Flags = []
    /// The size that the kernel takes the file to have at least; the largest number where it was
    /// given none.
    private(set) var reportedSize = UInt16.max
    /// Whether the key has children; nil where it is to be asked again.
    var hasChildren: Bool?
    /// The kind that the kernel was given last for the plain name.
    var reportedKind: FileKind?

    /// The permissions that were seen last.
    private(set) var seenPermissions: Permissions?
    /// What the key was made as, or was last: that is what it stays when it is empty. Nil where
    /// this mount has not seen it otherwise.
    var emptyKind: FileKind?
    /// Whether this mount made it as a directory, or took a child from it: it stays one while the
    /// kernel knows it, even with a value and no children. A program that makes or takes a tree
    /// apart would lose it under its hands otherwise.
    var isStickyDirectory: Bool {
        get { flags.contains(.isStickyDirectory) }
        set { flags.set(.isStickyDirectory, newValue) }
    }
    /// Who made it as a directory through this mount, until it has a value. To that program alone
    /// `.value` is not there before it is written: one that copies a tree creates each file of it
    /// (O_EXCL).
    var createdBy: CallerID? {
        get { creatorNumber == .min ? nil : CallerID(rawValue: creatorNumber) }
        set { creatorNumber = newValue?.rawValue ?? .min }
    }
    // An optional number would take a byte more, and with it the node 16.
    private var creatorNumber = Int32.min
    /// Whether the kernel knows that what it knows of the key is stale, and has not looked since.
    var isStaleInKernel: Bool {
        get { flags.contains(.isStaleInKernel) }
        set { flags.set(.isStaleInKernel, newValue) }
    }
    /// Whether the key was last seen to have a value.
    var hasValue: Bool {
        get { flags.contains(.hasValue) }
        set { flags.set(.hasValue, newValue) }
    }
    var isVerifying: Bool {
        get { flags.contains(.isVerifying) }
        set { flags.set(.isVerifying, newValue) }
    }
    /// Whether the kernel knows the directory by the agent alone: nobody can watch it.
    private(set) var isKnownByAgentOnly: Bool {
        get { flags.contains(.isKnownByAgentOnly) }
        set { flags.set(.isKnownByAgentOnly, newValue) }
    }
    /// Whether the store has said that it is not there, and not said since that it is.
    var isGone: Bool {
        get { flags.contains(.isGone) }
        set { flags.set(.isGone, newValue) }
    }
    /// What the watch keeps true since it was asked; nil where it is to be asked again.
    var permissions: Permissions? {
        get { flags.contains(.permissionsAreOld) ? nil : seenPermissions }
        set {
            flags.set(.permissionsAreOld, newValue == nil)
            if let newValue { seenPermissions = newValue }
        }
    }
    /// What the kernel may keep of it by itself, with `cache=watch`.
    var cached = CacheState()
    /// What inotify has told of it.
    var watched = WatchState()

    init(id: UInt64, name: String, parent: KeyNode?) {
        self.id = id
        self.name = name
        self.parent = parent
    }

    var isRoot: Bool { FilesystemID.isRoot(node: id) }

    /// Whether it has lost its place in the tree.
    var isUnlinked: Bool { parent == nil && !isRoot }

    /// Whether the kernel knows it, or a program has it open.
    var isHeld: Bool { isRoot || fileLookups > 0 || directoryLookups > 0 || handleCount > 0 }

    /// Whether anybody still needs it: it may lead to one that is held or remembered.
    var isInUse: Bool { isHeld || childCount > 0 }

    func inode(_ kind: FileKind) -> InodeNumber {
        // The root's value cannot have the number 0, which the kernel reserves.
        let last: UInt64 = kind == .directory ? 1 : isRoot ? 2 : 0
        return InodeNumber(rawValue: id << 1 | last)
    }

    /// The kernel is given the size of the file.
    func reportSize(_ size: Int) {
        reportedSize = UInt16(clamping: size)
    }

    /// The kernel may have seen the end of the file.
    func limitReportedSize(_ size: Int) {
        reportedSize = min(reportedSize, UInt16(clamping: size))
    }

    /// The kernel has seen a program write up to here.
    func extendReportedSize(_ end: Int) {
        reportedSize = max(reportedSize, UInt16(clamping: end))
    }

    /// Takes over what is remembered of a key, but for what the kernel knows of it.
    func takeMemory(of other: KeyNode) {
        emptyKind = other.emptyKind
        isStickyDirectory = other.isStickyDirectory
        createdBy = other.createdBy
        hasValue = other.hasValue
        timed = other.timed
        seenPermissions = other.seenPermissions
        flags.insert(.permissionsAreOld)
    }

    /// The kernel has forgotten it, and with it all that it kept.
    func wasForgotten() {
        cached.forget()
        watched.forget()
        isStaleInKernel = false
    }

    /// Takes note of permissions without relying on them.
    func see(_ permissions: Permissions) { seenPermissions = permissions }

    /// Forgets what a change may have made untrue.
    func dropStat() {
        permissions = nil
        hasChildren = nil
    }

    func move(to parent: KeyNode?, name: String) {
        self.parent = parent
        self.name = name
    }

    /// The kernel gets to know one of the inodes for a program.
    func addLookup(_ kind: FileKind) {
        add(kind)
        guard kind == .directory, isKnownByAgentOnly else { return }
        isKnownByAgentOnly = false
        // Nobody has kept it up to date.
        watched.forget()
    }

    /// The kernel gets to know one of the inodes for the agent.
    func addLookupByAgent(_ kind: FileKind) {
        if kind == .directory, directoryLookups == 0 { isKnownByAgentOnly = true }
        add(kind)
    }

    private func add(_ kind: FileKind) {
        switch kind {
        case .file: fileLookups += 1
        case .directory: directoryLookups += 1
        }
    }

    func removeLookups(_ count: UInt64, _ kind: FileKind) {
        switch kind {
        case .file: fileLookups -= min(count, fileLookups)
        case .directory:
            directoryLookups -= min(count, directoryLookups)
            // From now on nobody keeps it up to date.
            if directoryLookups == 0 { watched.forget() }
        }
    }

    func lookups(_ kind: FileKind) -> UInt64 {
        switch kind {
        case .file: fileLookups
        case .directory: directoryLookups
        }
    }
}

extension KeyNode {
    /// What is true of a key or not, a bit each.
    private struct Flags: OptionSet {
        let rawValue: UInt8

        static let isStickyDirectory = Flags(rawValue: 1 << 0)
        static let isStaleInKernel = Flags(rawValue: 1 << 1)
        static let hasValue = Flags(rawValue: 1 << 2)
        static let isVerifying = Flags(rawValue: 1 << 3)
        static let isKnownByAgentOnly = Flags(rawValue: 1 << 4)
        static let isGone = Flags(rawValue: 1 << 5)
        static let permissionsAreOld = Flags(rawValue: 1 << 6)
    }
}

extension KeyNode {
    /// The path of the key.
    ///
    /// - Throws: ``FilesystemError/stale`` for a key that has lost its place,
    ///   ``FilesystemError/nameTooLong`` where the path exceeds the protocol's limit.
    func path() throws(FilesystemError) -> XenstorePath {
        // Most often the root of the store, whose path is more than its (empty) name.
        isRoot && name.isEmpty ? .root : try path(after: nil)
    }

    /// The path of a child of the key.
    ///
    /// - Parameter name: a legal name.
    func path(ofChild name: String) throws(FilesystemError) -> XenstorePath {
        try path(after: name)
    }

    /// Whether this is the path of the key.
    func isAt(_ path: XenstorePath) -> Bool {
        if isRoot && name.isEmpty { return path.isRoot }
        var text = path.text
        return text.withUTF8 { bytes in
            var end = bytes.count
            var node = self
            while let parent = node.parent {
                guard Self.isName(node.name, before: &end, in: bytes) else { return false }
                node = parent
            }
            return node.isRoot && end == node.name.utf8.count
                && Self.isPart(node.name, at: 0, in: bytes)
        }
    }

    /// Whether a slash and a name end there.
    private static func isName(
        _ name: String,
        before end: inout Int,
        in bytes: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        let start = end - name.utf8.count
        guard start > 0, bytes[start - 1] == UInt8(ascii: "/"),
            isPart(name, at: start, in: bytes)
        else { return false }
        end = start - 1
        return true
    }

    private static func isPart(
        _ name: String,
        at start: Int,
        in bytes: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        var name = name
        return name.withUTF8 { name in
            let name = UnsafeRawBufferPointer(name)
            let part = UnsafeRawBufferPointer(bytes)
            var next = 0
            // By words, as names are compared for each answer of the store.
            while next + 8 <= name.count {
                let word = name.loadUnaligned(fromByteOffset: next, as: UInt64.self)
                guard part.loadUnaligned(fromByteOffset: start + next, as: UInt64.self) == word
                else { return false }
                next += 8
            }
            while next < name.count {
                guard part[start + next] == name[next] else { return false }
                next += 1
            }
            return true
        }
    }

    /// Nearly each request of the kernel needs a path: it is written once, from its end, into a
    /// text of the right length.
    private func path(after last: String?) throws(FilesystemError) -> XenstorePath {
        var count = last.map { 1 + $0.utf8.count } ?? 0
        var node = self
        while !node.isRoot {
            count += 1 + node.name.utf8.count
            guard let parent = node.parent else { throw .stale }
            node = parent
        }
        count += node.name.utf8.count
        guard count <= ProtocolLimits.absolutePathSize else { throw .nameTooLong }
        let text = String(unsafeUninitializedCapacity: count) { bytes in
            var end = count
            if let last { Self.put(last, before: &end, in: bytes) }
            var node = self
            while let parent = node.parent {
                Self.put(node.name, before: &end, in: bytes)
                node = parent
            }
            Self.copy(node.name, to: 0, in: bytes)
            return count
        }
        return XenstorePath(unchecked: text)
    }

    /// Writes a slash and a name.
    private static func put(
        _ name: String,
        before end: inout Int,
        in bytes: UnsafeMutableBufferPointer<UInt8>
    ) {
        end -= name.utf8.count
        copy(name, to: end, in: bytes)
        end -= 1
        bytes[end] = UInt8(ascii: "/")
    }

    private static func copy(
        _ name: String,
        to start: Int,
        in bytes: UnsafeMutableBufferPointer<UInt8>
    ) {
        var name = name
        name.withUTF8 { source in
            _ = bytes[start...].update(fromContentsOf: source)
        }
    }
}

extension KeyNode: WatchedInode {
    var number: UInt64 { id }
    var isKnownAsDirectory: Bool { directoryLookups > 0 }
    var isKnownAsFile: Bool { fileLookups > 0 }
    var isShownAsDirectory: Bool { reportedKind == .directory }
}

extension OptionSet where Element == Self {
    /// Has a flag, or has it not.
    mutating func set(_ flag: Self, _ isTrue: Bool) {
        if isTrue { insert(flag) } else { remove(flag) }
    }
}
