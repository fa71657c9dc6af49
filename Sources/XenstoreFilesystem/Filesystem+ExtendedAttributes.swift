import XenstoreProtocol

/// The extended attributes that the filesystem knows.
private enum KeyAttribute: String, CaseIterable {
    /// The permissions as text, `n0,r5`.
    case permissions = "user.xenstore.perms"
    /// The exact bytes of the value.
    case value = "user.xenstore.value"
    /// The permissions as an access control list, where the mode does not say it all.
    case accessList = "system.posix_acl_access"
    /// What new files in a directory would get: the store has its own rule.
    case defaultList = "system.posix_acl_default"
}

extension Filesystem {
    // MARK: Reading

    public func extendedAttributeFromMemory(
        _ name: String,
        of inode: InodeNumber
    ) throws(FilesystemError) -> [UInt8]? {
        guard let attribute = KeyAttribute(rawValue: name) else {
            throw Self.error(forUnknown: name)
        }
        guard streams.find(inode) == nil, scratch.directory(inode) == nil else { throw .noData }
        if let file = scratch.find(inode) {
            let value = options.valueForm.value(of: file.content)
            return try content(of: attribute, .file, permissions: file.permissions) { value }
        }
        let (node, kind) = try find(inode)
        guard !node.isUnlinked else { return nil }
        switch attribute {
        case .value: return nil
        case .defaultList: throw try noDefaultList()
        case .permissions, .accessList:
            guard changes.isWatching, let permissions = node.permissions else { return nil }
            return try content(of: attribute, kind, permissions: permissions) { [] }
        }
    }

    public func extendedAttributeFromStore(_ name: String, of inode: InodeNumber)
        async throws(FilesystemError) -> [UInt8]
    {
        let (node, kind) = try find(inode)
        let path = try node.path()
        guard let attribute = KeyAttribute(rawValue: name), attribute != .value else {
            return try await reader.value(at: path)
        }
        let permissions: Permissions
        do throws(FilesystemError) {
            permissions = try await reader.permissions(at: path)
        } catch .accessDenied where attribute == .accessList && kind == .directory {
            // The mode of a directory that the store does not show says all that is known.
            throw .noData
        }
        return try content(of: attribute, kind, permissions: permissions) { [] }
    }

    private func content(
        of attribute: KeyAttribute,
        _ kind: FileKind,
        permissions: Permissions,
        value: () -> [UInt8]
    ) throws(FilesystemError) -> [UInt8] {
        switch attribute {
        case .value: return value()
        case .permissions: return Array(permissions.description.utf8)
        case .accessList:
            try requireDomainsAsUsers()
            guard let list = AccessControlList(permissions, kind: kind) else { throw .noData }
            return list.bytes
        case .defaultList: throw try noDefaultList()
        }
    }

    // MARK: Setting

    public func setExtendedAttribute(
        _ name: String,
        to value: [UInt8],
        of inode: InodeNumber,
        _ mode: ExtendedAttributeMode
    ) async throws(FilesystemError) {
        try requireWritable()
        guard let attribute = KeyAttribute(rawValue: name) else {
            throw .notSupported
        }
        if attribute == .permissions || attribute == .value {
            guard mode != .create else { throw .exists }
        }
        if let file = scratch.find(inode) {
            return try await setAttribute(attribute, to: value, of: file)
        }
        guard scratch.directory(inode) == nil else { throw .notSupported }
        let (node, _) = try find(inode)
        try await commitDeferredCreate(node)
        let path = try node.path()
        switch attribute {
        case .permissions:
            guard let permissions = Permissions(text: value), permissions.owner != .nobody else {
                throw .invalid
            }
            try await setPermissions(permissions, of: node, at: path)
        case .accessList:
            let old = try await reader.permissions(at: path)
            let new = try permissions(old, fromList: value)
            if new != old { try await setPermissions(new, of: node, at: path) }
        case .defaultList: try requireNoDefaultList(value)
        case .value:
            // A key that is gone is not made anew by an attribute of it.
            _ = try await reader.value(at: path)
            try await writer.send(.write(path, value: value), at: path)
        }
    }

    private func setAttribute(
        _ attribute: KeyAttribute,
        to value: [UInt8],
        of file: ScratchFile
    ) async throws(FilesystemError) {
        switch attribute {
        case .permissions:
            guard let permissions = Permissions(text: value), permissions.owner != .nobody else {
                throw .invalid
            }
            try await setOwner(permissions.owner, of: file)
            file.chosen = permissions
            file.changed = environment.now()
        case .accessList:
            file.chosen = try permissions(file.permissions, fromList: value)
            file.changed = environment.now()
        case .defaultList: try requireNoDefaultList(value)
        case .value:
            let content = options.valueForm.content(of: value)
            try await edit(file, size: content.count) { $0 = content }
        }
    }

    private func setPermissions(
        _ permissions: Permissions,
        of node: KeyNode,
        at path: XenstorePath
    ) async throws(FilesystemError) {
        try await writer.send(.setPermissions(path, permissions), at: path)
        node.permissions = nil
    }

    private func permissions(
        _ old: Permissions,
        fromList value: [UInt8]
    ) throws(FilesystemError) -> Permissions {
        try requireDomainsAsUsers()
        guard let list = AccessControlList(bytes: value) else { throw .invalid }
        return try list.permissions(from: old)
    }

    // MARK: Removing

    public func removeExtendedAttribute(_ name: String, of inode: InodeNumber)
        async throws(FilesystemError)
    {
        try requireWritable()
        switch KeyAttribute(rawValue: name) {
        case .accessList: try await removeEntries(of: inode)
        // There is none, and copying programs make sure of that.
        case .defaultList: _ = try noDefaultList()
        // What every key has cannot be taken away.
        case .permissions, .value: throw .notPermitted
        case nil: throw Self.error(forUnknown: name)
        }
    }

    /// Takes away what the mode does not say.
    private func removeEntries(of inode: InodeNumber) async throws(FilesystemError) {
        try requireDomainsAsUsers()
        if let file = scratch.find(inode) {
            file.chosen = file.permissions.withoutEntries
            file.changed = environment.now()
            return
        }
        guard scratch.directory(inode) == nil else { throw .noData }
        let (node, _) = try find(inode)
        let path = try node.path()
        let old = try await reader.permissions(at: path)
        guard !old.entriesOfDomains.isEmpty else { throw .noData }
        try await setPermissions(old.withoutEntries, of: node, at: path)
    }

    // MARK: Names

    public func extendedAttributeNames(of inode: InodeNumber)
        async throws(FilesystemError) -> [String]
    {
        if let file = scratch.find(inode) { return names(file.permissions) }
        if scratch.directory(inode) != nil { return [] }
        let (node, _) = try find(inode)
        if let known = node.permissions, changes.isWatching { return names(known) }
        do throws(FilesystemError) {
            return names(try await reader.permissions(at: node.path()))
        } catch .noEntry, .stale, .accessDenied {
            // Of a file that is open and gone, or not made yet, and of a key that the store does
            // not show, programs ask no further.
            return names(nil)
        }
    }

    /// What a program that copies a file is to copy: the value is the file's content already. The
    /// list is among them only where there is one, as by its name alone ls(1) says so.
    private func names(_ permissions: Permissions?) -> [String] {
        let hasList = usersAreDomains && permissions?.entriesOfDomains.isEmpty == false
        let names: [KeyAttribute] = hasList ? [.permissions, .accessList] : [.permissions]
        return names.map(\.rawValue)
    }

    /// Another attribute of users could be, but is not. Of all else there is none, and a program
    /// that is told so asks once, and not for each file: ls(1) for `security.selinux`.
    private static func error(forUnknown name: String) -> FilesystemError {
        name.hasPrefix("user.") ? .noData : .notSupported
    }

    // MARK: Lists

    /// Users in a list stand for domains, so the files' owners must.
    private func requireDomainsAsUsers() throws(FilesystemError) {
        guard usersAreDomains else { throw .notSupported }
    }

    private var usersAreDomains: Bool { options.ownership == .domain && options.umask == 0 }

    /// - Returns: the error that says there is none.
    private func noDefaultList() throws(FilesystemError) -> FilesystemError {
        try requireDomainsAsUsers()
        return .noData
    }

    private func requireNoDefaultList(_ value: [UInt8]) throws(FilesystemError) {
        try requireDomainsAsUsers()
        guard let list = AccessControlList(bytes: value) else { throw .invalid }
        guard list.isEmpty else { throw .notSupported }
    }
}

extension Permissions {
    fileprivate var withoutEntries: Permissions {
        var kept = self
        kept.entries.removeAll(where: \.domain.isPossible)
        return kept
    }
}
