/// What the kernel may ask of a filesystem. Each throws the error that the system call fails with.
///
/// All of it belongs to one thread; a call that suspends lets others run.
public protocol FilesystemOperations: AnyObject {
    /// Finds a name, and adds a reference to what it is.
    func lookup(
        _ name: String,
        in directory: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> Entry
    /// Gives back `count` references that lookups made.
    func forget(_ inode: InodeNumber, count: UInt64)
    /// The directory that the kernel knows by a name, from memory.
    func knownDirectory(_ name: String, in directory: InodeNumber) -> InodeNumber?
    /// Where an inode is, from the mount's root on, as far as memory knows.
    func path(of inode: InodeNumber) -> String
    /// Where an open file is.
    func path(of handle: HandleID) -> String
    /// Where an open directory is.
    func path(ofDirectory handle: HandleID) -> String

    /// What stat(2) tells, where the store need not be asked; else nil.
    ///
    /// - Parameter handle: the open file by which the kernel asks, as it does for lseek(2).
    func attributesFromMemory(
        of inode: InodeNumber,
        handle: HandleID?,
        by caller: CallerID
    ) throws(FilesystemError) -> Attributes?
    /// What stat(2) tells, where ``attributesFromMemory(of:handle:by:)`` does not.
    func attributesFromStore(
        of inode: InodeNumber,
        handle: HandleID?,
        by caller: CallerID
    ) async throws(FilesystemError) -> Attributes
    /// Answers access(2): fails where a program may not do that with a file.
    func requireAccess(_ rights: AccessRights, to inode: InodeNumber)
        async throws(FilesystemError)
    /// Changes attributes, and returns what they are then.
    func setAttributes(
        _ changes: AttributeChanges,
        of inode: InodeNumber,
        handle: HandleID?
    ) async throws(FilesystemError) -> Attributes

    /// Opens a file where the store need not be asked; else nil.
    func openFromMemory(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) throws(FilesystemError) -> HandleID?
    /// Opens a file, where ``openFromMemory(_:_:by:)`` does not; with ``OpenFlags/truncate`` it is
    /// empty to this handle.
    func openFromStore(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) async throws(FilesystemError) -> HandleID
    /// Makes a file and opens it, with a reference.
    ///
    /// - Parameter mode: the permission bits that the program asks for. A key inherits its own from
    ///   the store; they tell what the file is for.
    func create(
        _ name: String,
        in directory: InodeNumber,
        _ flags: OpenFlags,
        mode: UInt32,
        by caller: CallerID
    ) async throws(FilesystemError) -> (Entry, HandleID)
    /// What is read next from the handle goes to the kernel's page cache, as for sendfile(2): of
    /// that, a program gets no more than the size that the kernel takes the file to have.
    func willCache(_ handle: HandleID)
    /// Answers from memory.
    func read(_ handle: HandleID, offset: Int, count: Int) throws(FilesystemError)
        -> ArraySlice<UInt8>
    /// Waits, when a change was made, until the kernel has dropped what that has made untrue: the
    /// program's next call sees the change.
    func invalidationBarrier() async
    /// How the kernel may cache what it reads from the handle.
    func caching(of handle: HandleID) -> Caching
    /// How the kernel may cache the names of a directory's handle.
    func listingCaching(of handle: HandleID) -> Caching
    /// The file, if a read at this offset is for ``readAsking(_:offset:count:by:)``; nil if it is
    /// for ``read(_:offset:count:)``.
    func fileToAsk(_ handle: HandleID, offset: Int) -> InodeNumber?
    /// Reads what the store holds now.
    func readAsking(
        _ handle: HandleID,
        offset: Int,
        count: Int,
        by caller: CallerID
    ) async throws(FilesystemError) -> ArraySlice<UInt8>
    /// Whether the handle is that of an event stream, for ``readStream(_:count:waits:)``.
    func isStream(_ handle: HandleID) -> Bool
    /// Leaves out of an event stream what a user may not see of the mount.
    ///
    /// - Parameter isInGroup: whether the user is in a group.
    func limitStream(
        _ handle: HandleID,
        to userID: UInt32,
        isInGroup: (_ groupID: UInt32) -> Bool
    )
    /// Whether a read of the handle returns at once.
    func isReadable(_ handle: HandleID) -> Bool
    /// Takes lines of an event stream; nothing is the end.
    ///
    /// - Parameter waits: whether to wait for one; else ``FilesystemError/again``.
    func readStream(
        _ handle: HandleID,
        count: Int,
        waits: Bool
    ) async throws(FilesystemError) -> ArraySlice<UInt8>
    /// Puts bytes into the value, and the value into the store.
    func write(_ bytes: [UInt8], to handle: HandleID, offset: Int) async throws(FilesystemError)
    /// Whether ``flush(_:)`` has nothing to do for this handle.
    func isClean(_ handle: HandleID) -> Bool
    /// Does what closing leaves to do, such as emptying; its errors are those of close(2).
    func flush(_ handle: HandleID) async throws(FilesystemError)
    /// Ends the handle where closing leaves nothing to do; else false.
    func releaseFromMemory(_ handle: HandleID) -> Bool
    /// Ends the handle, where ``releaseFromMemory(_:)`` does not. Errors are reported to the log:
    /// no system call waits.
    func releaseToStore(_ handle: HandleID) async

    /// Opens a directory for ``list(_:offset:fits:)``.
    func openDirectory(
        _ inode: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> HandleID
    /// The names from `offset` on, as many as `fits` takes. A reference is added for each that
    /// comes with an entry. Of the attributes in it, the type alone is told.
    func list(
        _ handle: HandleID,
        offset: Int,
        fits: (_ name: String) -> Bool
    ) async throws(FilesystemError) -> [DirectoryEntry]
    /// Ends the handle of a directory.
    func releaseDirectory(_ handle: HandleID)

    /// Makes a directory, with a reference.
    func makeDirectory(
        _ name: String,
        in directory: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> Entry
    /// Removes a file.
    func unlink(_ name: String, in directory: InodeNumber) async throws(FilesystemError)
    /// Removes a directory that is empty.
    func removeDirectory(_ name: String, in directory: InodeNumber) async throws(FilesystemError)
    /// Moves a name; see ``RenameMode`` for one that is taken.
    func rename(
        _ name: String,
        in directory: InodeNumber,
        to newName: String,
        in newDirectory: InodeNumber,
        _ mode: RenameMode,
        by caller: CallerID
    ) async throws(FilesystemError)

    /// The value of an extended attribute, where the store need not be asked; else nil.
    func extendedAttributeFromMemory(_ name: String, of inode: InodeNumber)
        throws(FilesystemError) -> [UInt8]?
    /// The value of an extended attribute, where ``extendedAttributeFromMemory(_:of:)`` does not
    /// tell.
    func extendedAttributeFromStore(_ name: String, of inode: InodeNumber)
        async throws(FilesystemError) -> [UInt8]
    /// Sets an extended attribute.
    func setExtendedAttribute(
        _ name: String,
        to value: [UInt8],
        of inode: InodeNumber,
        _ mode: ExtendedAttributeMode
    ) async throws(FilesystemError)
    /// Removes an extended attribute.
    func removeExtendedAttribute(_ name: String, of inode: InodeNumber)
        async throws(FilesystemError)
    /// The names of the extended attributes.
    func extendedAttributeNames(of inode: InodeNumber)
        async throws(FilesystemError) -> [String]
}

/// Whether an attribute must or must not exist before it is set.
public enum ExtendedAttributeMode: Hashable, Sendable {
    case any
    case create
    case replace
}

extension FilesystemOperations {
    /// What stat(2) tells.
    public func attributes(
        of inode: InodeNumber,
        handle: HandleID? = nil,
        by caller: CallerID
    ) async throws(FilesystemError) -> Attributes {
        if let known = try attributesFromMemory(of: inode, handle: handle, by: caller) {
            return known
        }
        return try await attributesFromStore(of: inode, handle: handle, by: caller)
    }

    /// Opens a file; with ``OpenFlags/truncate`` it is empty to this handle.
    public func open(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) async throws(FilesystemError) -> HandleID {
        if let handle = try openFromMemory(inode, flags, by: caller) { return handle }
        return try await openFromStore(inode, flags, by: caller)
    }

    /// The value of an extended attribute.
    public func extendedAttribute(
        _ name: String,
        of inode: InodeNumber
    ) async throws(FilesystemError) -> [UInt8] {
        if let known = try extendedAttributeFromMemory(name, of: inode) { return known }
        return try await extendedAttributeFromStore(name, of: inode)
    }

    /// Ends the handle. Errors are reported to the log: no system call waits.
    public func release(_ handle: HandleID) async {
        if !releaseFromMemory(handle) { await releaseToStore(handle) }
    }
}
