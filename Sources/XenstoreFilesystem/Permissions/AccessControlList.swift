import XenstoreProtocol

/// The form that the kernel and libacl give to an access control list: the value of
/// `system.posix_acl_access` (linux/posix_acl_xattr.h), little-endian.
///
/// An entry for user 5 is domain 5's. The group is nobody in particular, so it may what all others
/// may. The mask is the sum of what anyone but the owner may: the store has none of its own.
struct AccessControlList {
    private enum Tag: UInt16 {
        case owner = 0x01
        case user = 0x02
        case owningGroup = 0x04
        case group = 0x08
        case mask = 0x10
        case other = 0x20
    }

    private struct Entry {
        var tag: Tag
        var bits: UInt16
        var id: UInt32 = Entry.noID

        static let noID = UInt32.max
    }

    private static let version: UInt32 = 2
    private static let readBit: UInt16 = 4
    private static let writeBit: UInt16 = 2
    private static let executeBit: UInt16 = 1

    private var entries: [Entry] = []

    // MARK: From permissions

    /// The list that these permissions are.
    ///
    /// - Returns: nil where the mode says it all.
    init?(_ permissions: Permissions, kind: FileKind) {
        let listed = permissions.entriesOfDomains
        guard !listed.isEmpty else { return nil }
        let others = Self.bits(permissions.everyone, kind)
        var users: [UInt32: UInt16] = [:]
        for entry in listed where users[entry.domain.rawValue] == nil {
            users[entry.domain.rawValue] = Self.bits(entry.access, kind)
        }
        entries = [Entry(tag: .owner, bits: Self.bits([.read, .write], kind))]
        entries += users.sorted { $0.key < $1.key }.map {
            Entry(tag: .user, bits: $0.value, id: $0.key)
        }
        entries.append(Entry(tag: .owningGroup, bits: others))
        entries.append(Entry(tag: .mask, bits: users.values.reduce(others, |)))
        entries.append(Entry(tag: .other, bits: others))
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: Self.version)
        for entry in entries {
            bytes.append(littleEndian: entry.tag.rawValue)
            bytes.append(littleEndian: entry.bits)
            bytes.append(littleEndian: entry.id)
        }
        return bytes
    }

    // MARK: To permissions

    /// - Returns: nil for bytes that are no list.
    init?(bytes: [UInt8]) {
        guard bytes.count >= 4, (bytes.count - 4).isMultiple(of: 8),
            bytes.littleEndian(at: 0, as: UInt32.self) == Self.version
        else { return nil }
        for start in stride(from: 4, to: bytes.count, by: 8) {
            guard let tag = Tag(rawValue: bytes.littleEndian(at: start, as: UInt16.self)) else {
                return nil
            }
            let bits = bytes.littleEndian(at: start + 2, as: UInt16.self)
            guard bits <= 0o7 else { return nil }
            let id = bytes.littleEndian(at: start + 4, as: UInt32.self)
            entries.append(Entry(tag: tag, bits: bits, id: id))
        }
    }

    /// Whether there is nothing in it, as in the default list of a directory that has none.
    var isEmpty: Bool { entries.isEmpty }

    /// The permissions that this list makes of others. Entries that stay keep their order.
    ///
    /// - Throws: ``FilesystemError/invalid`` for a list without owner, group or others, and
    ///   ``FilesystemError/notPermitted`` for what permissions cannot express: an owner without
    ///   `rw`, an entry for a group, a group that may more than others beside entries, and a mask
    ///   that takes away from an entry. `x` is left away.
    func permissions(from old: Permissions) throws(FilesystemError) -> Permissions {
        guard let owner = only(.owner), let group = only(.owningGroup), let others = only(.other)
        else { throw .invalid }
        let users = entries.filter { $0.tag == .user }
        let mask = only(.mask)
        guard users.isEmpty || mask != nil else { throw .invalid }
        guard Self.access(owner) == [.read, .write],
            !entries.contains(where: { $0.tag == .group })
        else { throw .notPermitted }

        var new = old
        new.everyone = Self.access(others)
        let groupAccess = Self.access(group)
        // Without a mask the group's bits are one, and the list says what a mode does. The group of
        // the list as it was shows what all others might then.
        guard
            mask == nil || groupAccess.isSubset(of: new.everyone)
                || !users.isEmpty && groupAccess == old.everyone
        else { throw .notPermitted }
        var granted: [DomainID: AccessMode] = [:]
        for user in users {
            let domain = DomainID(user.id)
            guard granted[domain] == nil, domain.isPossible else { throw .invalid }
            granted[domain] = Self.access(user.bits)
        }
        if let mask {
            let most = Self.access(mask)
            guard granted.values.allSatisfy({ $0.isSubset(of: most) }) else { throw .notPermitted }
        }
        var kept: [PermissionEntry] = []
        for entry in old.entries {
            if !entry.domain.isPossible {
                // No list shows it.
                kept.append(entry)
            } else if let access = granted.removeValue(forKey: entry.domain) {
                kept.append(PermissionEntry(entry.domain, access))
            }
        }
        new.entries =
            kept
            + granted.sorted { $0.key < $1.key }.map {
                PermissionEntry($0.key, $0.value)
            }
        return new
    }

    private func only(_ tag: Tag) -> UInt16? {
        let found = entries.filter { $0.tag == tag }
        return found.count == 1 ? found[0].bits : nil
    }

    private static func bits(_ access: AccessMode, _ kind: FileKind) -> UInt16 {
        let read = access.contains(.read) ? readBit : 0
        let enter = kind == .directory && read != 0 ? executeBit : 0
        return read | enter | (access.contains(.write) ? writeBit : 0)
    }

    /// Without `x`: a directory can be entered where it can be read, whether the list says so or
    /// not, and a value cannot be executed.
    private static func access(_ bits: UInt16) -> AccessMode {
        var access: AccessMode = []
        if bits & readBit != 0 { access.insert(.read) }
        if bits & writeBit != 0 { access.insert(.write) }
        return access
    }
}

extension [UInt8] {
    fileprivate mutating func append<Number: FixedWidthInteger>(littleEndian number: Number) {
        for shift in stride(from: 0, to: Number.bitWidth, by: 8) {
            append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    fileprivate func littleEndian<Number: FixedWidthInteger & UnsignedInteger>(
        at start: Int,
        as _: Number.Type
    ) -> Number {
        let bytes = self[start..<(start + Number.bitWidth / 8)]
        return bytes.reversed().reduce(0) { $0 << 8 | Number($1) }
    }
}
