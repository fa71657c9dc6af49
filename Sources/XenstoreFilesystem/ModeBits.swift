import XenstoreProtocol

/// Translates between a key's permissions and permission bits.
///
/// The owner always may all. Others get what the first entry gives to every domain. The group's
/// bits are the mask of an ACL: what anyone but the owner may at most.
enum ModeBits {
    private static let ownerBits: UInt32 = 0o600

    /// The bits of a file or directory; directories can be entered where they can be read.
    static func mode(of permissions: Permissions, view: View) -> UInt32 {
        let others = bits(permissions.everyone)
        let group = mask(permissions)
        return spread(ownerBits | group << 3 | others, view: view)
    }

    /// The permissions that have these bits, with the entries of `permissions`.
    ///
    /// - Parameter allowingWiderGroup: whether the group's bits may be more than the entries give.
    /// - Returns: nil where no permissions have them: without the owner's rights, with execution
    ///   of a file, or with a group that differs from what the entries give.
    static func permissions(
        _ permissions: Permissions,
        withMode mode: UInt32,
        view: View,
        allowingWiderGroup: Bool = false
    ) -> Permissions? {
        var changed = permissions
        changed.everyone = access(mode & 0o7)
        var made = self.mode(of: changed, view: view)
        if allowingWiderGroup { made |= mode & 0o070 }
        return made == mode & 0o7777 ? changed : nil
    }

    private static func mask(_ permissions: Permissions) -> UInt32 {
        permissions.entriesOfDomains.reduce(bits(permissions.everyone)) { $0 | bits($1.access) }
    }

    private static func bits(_ access: Access) -> UInt32 {
        (access.contains(.read) ? 4 : 0) | (access.contains(.write) ? 2 : 0)
    }

    private static func access(_ bits: UInt32) -> Access {
        var access: Access = []
        if bits & 4 != 0 { access.insert(.read) }
        if bits & 2 != 0 { access.insert(.write) }
        return access
    }

    private static func spread(_ mode: UInt32, view: View) -> UInt32 {
        switch view {
        case .file: mode
        case .directory: mode | (mode & 0o444) >> 2
        }
    }
}
