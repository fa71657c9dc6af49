import XenstoreFilesystem
import XenstoreProtocol

/// getfacl(1) and setfacl(1).
extension FilesystemModel {
    func accessList(_ path: String) throws -> AccessListText {
        let found = try findExisting(path)
        let list: AccessListText?
        switch found {
        case .scratch(let file, _, _): list = AccessListText(file.permissions, .file)
        case .directory(let key, _): list = AccessListText(try clear(key.permissions), .directory)
        case .file(let key, _): list = AccessListText(try clear(key.permissions), .file)
        case .nothing: throw FilesystemError.noEntry
        }
        guard let list else { throw FilesystemError.noData }
        return list
    }

    func setAccessList(_ path: String, _ list: AccessListText) throws {
        let found = try findExisting(path)
        switch found {
        case .scratch(let file, _, _):
            file.setEntries(of: try changed(file.permissions, by: list))
        case .directory(let key, _):
            key.permissions = try changed(key.permissions, by: list)
        case .file(let key, _): key.permissions = try changed(key.permissions, by: list)
        case .nothing: throw FilesystemError.noEntry
        }
    }

    func removeAccessList(_ path: String) throws {
        func withoutEntries(_ permissions: Permissions) -> Permissions {
            Permissions(owner: permissions.owner, everyone: permissions.everyone)
        }
        switch try findExisting(path) {
        case .scratch(let file, _, _): file.setEntries(of: withoutEntries(file.permissions))
        case .directory(let key, _), .file(let key, _):
            guard !key.permissions.entries.isEmpty else { throw FilesystemError.noData }
            key.permissions = withoutEntries(key.permissions)
        case .nothing: throw FilesystemError.noEntry
        }
    }

    private func changed(
        _ permissions: Permissions,
        by list: AccessListText
    ) throws -> Permissions {
        let permissions = try clear(permissions)
        if let changed = permissions.with(list) { return changed }
        // setfacl(1) gives the group back as it was read: that is taken where others change.
        if list[.owningGroup] != list[.others], !list.users.isEmpty { throw LeftOpen() }
        throw FilesystemError.notPermitted
    }

    /// The store takes two entries for one domain, a list does not.
    private func clear(_ permissions: Permissions) throws -> Permissions {
        guard Set(permissions.entries.map(\.domain)).count == permissions.entries.count else {
            throw LeftOpen()
        }
        return permissions
    }
}
