import XenstoreFilesystem
import XenstoreProtocol

/// An access control list as getfacl(1) tells it, and setfacl(1) takes it.
struct AccessListText: Hashable, Sendable {
    /// One line: whom it is about, and the sum of 4, 2 and 1 for `r`, `w` and `x`.
    struct Entry: Hashable, Sendable {
        enum Subject: Hashable, Sendable {
            case owner
            case user(UInt32)
            case owningGroup
            case group(UInt32)
            case mask
            case others
        }

        var subject: Subject
        var bits: UInt8

        init(_ subject: Subject, _ bits: UInt8) {
            (self.subject, self.bits) = (subject, bits)
        }
    }

    var entries: [Entry]

    init(_ entries: [Entry]) {
        self.entries = entries
    }

    /// What SEMANTICS.md says that permissions look like; nil where the mode says it all.
    init?(_ permissions: Permissions, _ kind: FileKind) {
        guard !permissions.entries.isEmpty else { return nil }
        func bits(_ access: AccessMode) -> UInt8 {
            let read: UInt8 = access.contains(.read) ? (kind == .directory ? 5 : 4) : 0
            return read + (access.contains(.write) ? 2 : 0)
        }
        let others = bits(permissions.everyone)
        let users = permissions.entries.sorted { $0.domain.rawValue < $1.domain.rawValue }
        entries = [Entry(.owner, bits([.read, .write]))]
        entries += users.map { Entry(.user($0.domain.rawValue), bits($0.access)) }
        entries.append(Entry(.owningGroup, others))
        entries.append(Entry(.mask, users.map { bits($0.access) }.reduce(others, |)))
        entries.append(Entry(.others, others))
    }

    subscript(_ subject: Entry.Subject) -> UInt8? {
        entries.first { $0.subject == subject }?.bits
    }

    var users: [(domain: DomainID, bits: UInt8)] {
        entries.compactMap { entry in
            guard case .user(let id) = entry.subject else { return nil }
            return (DomainID(id), entry.bits)
        }
    }

    /// As setxattr(2) takes it for `system.posix_acl_access`: linux/posix_acl_xattr.h.
    var bytes: [UInt8] {
        var bytes: [UInt8] = [2, 0, 0, 0]
        for entry in entries {
            let (tag, id): (UInt8, UInt32) =
                switch entry.subject {
                case .owner: (0x01, .max)
                case .user(let id): (0x02, id)
                case .owningGroup: (0x04, .max)
                case .group(let id): (0x08, id)
                case .mask: (0x10, .max)
                case .others: (0x20, .max)
                }
            bytes += [tag, 0, entry.bits, 0]
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: id >> ($0 * 8)) }
        }
        return bytes
    }
}

extension Permissions {
    /// What setting a list makes of these.
    ///
    /// - Returns: nil where no permissions say that.
    func with(_ list: AccessListText) -> Permissions? {
        var isExpressible = true
        func access(_ bits: UInt8?) -> AccessMode {
            let bits = bits ?? 0
            return AccessMode((bits & 4 != 0 ? [.read] : []) + (bits & 2 != 0 ? [.write] : []))
        }
        var changed = self
        changed.everyone = access(list[.others])
        let users = list.users.map { ($0.domain, access($0.bits)) }
        if access(list[.owner]) != [.read, .write] { isExpressible = false }
        // Without a mask the group's bits are one.
        let group = access(list[.owningGroup])
        if list[.mask] != nil, !group.isSubset(of: changed.everyone) { isExpressible = false }
        if let mask = list[.mask] {
            let most = access(mask)
            if !users.allSatisfy({ $0.1.isSubset(of: most) }) { isExpressible = false }
        }
        if list.entries.contains(where: { if case .group = $0.subject { true } else { false } }) {
            isExpressible = false
        }
        guard isExpressible else { return nil }
        // Those that stay keep their order.
        let granted = Dictionary(uniqueKeysWithValues: users)
        let kept = entries.map(\.domain).filter { granted[$0] != nil }
        let new = granted.keys.filter { !kept.contains($0) }.sorted { $0.rawValue < $1.rawValue }
        changed.entries = (kept + new).map { PermissionEntry($0, granted[$0] ?? []) }
        return changed
    }
}
