import XenstoreProtocol

/// The extended attributes that every key has.
private enum KeyAttribute: String, CaseIterable {
    /// The permissions as text, `n0,r5`.
    case permissions = "user.xenstore.perms"
    /// The exact bytes of the value.
    case value = "user.xenstore.value"
}

extension Filesystem {
    public func extendedAttribute(_ name: String, of inode: InodeNumber)
        async throws(FilesystemError) -> [UInt8]
    {
        if let file = scratch.find(inode) { return try extendedAttribute(name, of: file) }
        let path = try find(inode).node.path()
        switch KeyAttribute(rawValue: name) {
        case .permissions:
            let payload = try await send(.getPermissions(path), at: path)
            guard let permissions = Permissions(payload: payload) else { throw .inputOutput }
            return Array(permissions.description.utf8)
        case .value:
            return try await send(.read(path), at: path)
        case nil:
            throw Self.error(forUnknown: name)
        }
    }

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
        guard mode != .create else { throw .exists }
        if let file = scratch.find(inode) {
            return try await setAttribute(attribute, to: value, of: file)
        }
        let (node, _) = try find(inode)
        let path = try node.path()
        switch attribute {
        case .permissions:
            guard let permissions = Permissions(text: value) else { throw .invalid }
            _ = try await send(.setPermissions(path, permissions), at: path)
            node.permissions = nil
        case .value:
            // A key that is gone is not made anew by an attribute of it.
            _ = try await send(.read(path), at: path)
            _ = try await send(.write(path, value: value), at: path)
        }
        node.modified = environment.now()
    }

    private func extendedAttribute(
        _ name: String,
        of file: ScratchFile
    ) throws(FilesystemError) -> [UInt8] {
        switch KeyAttribute(rawValue: name) {
        case .permissions: Array(file.permissions.description.utf8)
        case .value: options.valueForm.value(of: file.content)
        case nil: throw Self.error(forUnknown: name)
        }
    }

    private func setAttribute(
        _ attribute: KeyAttribute,
        to value: [UInt8],
        of file: ScratchFile
    ) async throws(FilesystemError) {
        switch attribute {
        case .permissions:
            guard let permissions = Permissions(text: value) else { throw .invalid }
            file.chosen = permissions
        case .value:
            let content = options.valueForm.content(of: value)
            try await edit(file, size: content.count) { $0 = content }
        }
    }

    public func removeExtendedAttribute(_ name: String, of inode: InodeNumber)
        async throws(FilesystemError)
    {
        try requireWritable()
        // What every key has cannot be taken away.
        guard KeyAttribute(rawValue: name) == nil else { throw .notPermitted }
        throw Self.error(forUnknown: name)
    }

    public func extendedAttributeNames(of inode: InodeNumber) throws(FilesystemError) -> [String] {
        if scratch.find(inode) == nil { _ = try find(inode) }
        return KeyAttribute.allCases.map(\.rawValue)
    }

    /// ACLs are not there; any other attribute could be, but is not.
    private static func error(forUnknown name: String) -> FilesystemError {
        name.hasPrefix("system.") ? .notSupported : .noData
    }
}
