import XenstoreProtocol

/// Translates between a key's permissions and permission bits.
///
/// The owner always may all. Others get what the first entry gives to every domain. The group's
/// bits are the mask of an ACL: what anyone but the owner may at most.
enum ModeBits {
    /// Of a key that may not be read: it can be walked through.
    static let ofUnreadable: UInt32 = 0o111

    private static let ownerBits: UInt32 = 0o600

    /// The bits of a file or directory; directories can be entered where they can be read.
    static func mode(of permissions: Permissions, kind: FileKind) -> UInt32 {
        let others = bits(permissions.everyone)
        let group = mask(permissions)
        return spread(ownerBits | group << 3 | others, kind: kind)
    }

    /// What chmod(2) makes of permissions, whose entries stay.
    ///
    /// What the store does not have is left away, as nobody could use it: `x`, but where a
    /// directory can be read, and more for the group, a mask, than the entries give.
    ///
    /// - Returns: nil where somebody would get more than the mode says: without the owner's rights,
    ///   or with less for the group than others or entries have; and for all but `rwx`.
    static func permissions(
        _ permissions: Permissions,
        withMode mode: UInt32,
        kind: FileKind
    ) -> Permissions? {
        guard mode & 0o7000 == 0 else { return nil }
        var changed = permissions
        changed.everyone = access(mode & 0o7)
        return self.mode(of: changed, kind: kind) & ~mode == 0 ? changed : nil
    }

    /// Permissions under a mode that was set before their entries were known: the group's bits are
    /// the mask of these.
    ///
    /// - Parameter hidden: bits that no mode shows. Of these it says nothing.
    static func permissions(
        _ permissions: Permissions,
        under mode: UInt32,
        hiding hidden: UInt32
    ) -> Permissions {
        var changed = permissions
        let most = access((mode | hidden) >> 3)
        changed.everyone =
            hidden == 0
            ? access(mode) : permissions.everyone.intersection(access(mode | hidden))
        for index in changed.entries.indices where changed.entries[index].domain.isPossible {
            changed.entries[index].access.formIntersection(most)
        }
        return changed
    }

    private static func mask(_ permissions: Permissions) -> UInt32 {
        let everyone = bits(permissions.everyone)
        guard !permissions.entries.isEmpty else { return everyone }
        return permissions.entriesOfDomains.reduce(everyone) { $0 | bits($1.access) }
    }

    private static func bits(_ access: AccessMode) -> UInt32 {
        (access.contains(.read) ? 4 : 0) | (access.contains(.write) ? 2 : 0)
    }

    private static func access(_ bits: UInt32) -> AccessMode {
        var access: AccessMode = []
        if bits & 4 != 0 { access.insert(.read) }
        if bits & 2 != 0 { access.insert(.write) }
        return access
    }

    private static func spread(_ mode: UInt32, kind: FileKind) -> UInt32 {
        switch kind {
        case .file: mode
        case .directory: mode | (mode & 0o444) >> 2
        }
    }
}
