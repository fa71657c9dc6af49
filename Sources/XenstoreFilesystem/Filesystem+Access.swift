import XenstoreProtocol

/// What access(2) asks for: all of it, or, of nothing, whether the file is there.
public struct AccessRights: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    // As the bits of a mode.
    public static let execute = AccessRights(rawValue: 1)
    public static let write = AccessRights(rawValue: 2)
    public static let read = AccessRights(rawValue: 4)

    /// Fails where a mode does not give these rights to the owner of a file.
    func require(ofOwnerIn mode: UInt32) throws(FilesystemError) {
        guard isSubset(of: AccessRights(rawValue: UInt8(mode >> 6 & 7))) else {
            throw .accessDenied
        }
    }
}

extension Filesystem {
    /// The key of each domain that holds its number; relative, so each reads its own.
    private static var ownNumber: XenstorePath { XenstorePath(unchecked: "domid") }

    public func requireAccess(
        _ rights: AccessRights,
        to inode: InodeNumber
    ) async throws(FilesystemError) {
        if rights.contains(.write) { try requireWritable() }
        if let file = scratch.find(inode) {
            return try rights.require(ofOwnerIn: attributes(of: file).mode)
        }
        if let file = streams.find(inode) {
            return try rights.require(ofOwnerIn: streams.attributes(of: file).mode)
        }
        guard scratch.directory(inode) == nil else { return }
        let (node, kind) = try find(inode)
        // A directory can be entered, whatever its key: there may be others below that the store
        // shows. That holds for one that is open and gone, too.
        if kind == .directory, rights.isSubset(of: .execute) { return }
        guard !rights.contains(.execute) || kind == .directory else { throw .accessDenied }
        guard !node.isUnlinked else { throw unlinked(node) }
        if !options.isPrivileged { try await askForAccess(rights, to: node) }
    }

    /// Finds out what the store lets this domain do, without trying it: a guest has few
    /// transactions. Its number is asked for each time, as a migration changes it.
    private func askForAccess(
        _ rights: AccessRights,
        to node: KeyNode
    ) async throws(FilesystemError) {
        let path = try node.path()
        let answers = await reader.access.send(
            [.getPermissions(path), .read(Self.ownNumber)],
            in: .none
        )
        let permissions: Permissions
        do throws(XenstoreError) {
            guard let found = Permissions(payload: try answers[0].get()) else {
                throw .malformedReply
            }
            permissions = found
        } catch .refused(.noEntry) where node.deferredCreateCount > 0 {
            // Opening it has asked.
            return
        } catch {
            throw reader.noted(error, node, at: path)
        }
        guard case .success(let number) = answers[1], let domain = DomainID(decimal: number) else {
            // It may read what it may ask the permissions of; writing is tried, as by open(2).
            guard rights.contains(.write) else { return }
            return try await tryWriting(try await reader.value(at: path), to: path)
        }
        let allowed = permissions.access(of: domain)
        guard !rights.contains(.read) || allowed.contains(.read),
            !rights.contains(.write) || allowed.contains(.write)
        else { throw .accessDenied }
    }
}
