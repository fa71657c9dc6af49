/// A filesystem whose names are given: programs cannot make, remove, move or change anything but
/// where it says so itself. It answers from memory, and the kernel keeps nothing of it.
protocol FixedFilesystem: FilesystemOperations {}

extension FixedFilesystem {
    func forget(_ inode: InodeNumber, count: UInt64) {}

    func knownDirectory(_ name: String, in directory: InodeNumber) -> InodeNumber? { nil }

    // MARK: Names

    func create(
        _ name: String,
        in directory: InodeNumber,
        _ flags: OpenFlags,
        mode: UInt32,
        by caller: CallerID
    ) async throws(FilesystemError) -> (Entry, HandleID) { throw .notPermitted }

    func unlink(_ name: String, in directory: InodeNumber) async throws(FilesystemError) {
        throw .notPermitted
    }

    // MARK: Attributes

    func setAttributes(
        _ changes: AttributeChanges,
        of inode: InodeNumber,
        handle: HandleID?
    ) async throws(FilesystemError) -> Attributes { throw .notPermitted }

    func extendedAttributeFromMemory(_ name: String, of inode: InodeNumber)
        throws(FilesystemError) -> [UInt8]?
    { throw .noData }

    func extendedAttributeFromStore(_ name: String, of inode: InodeNumber)
        async throws(FilesystemError) -> [UInt8]
    { throw .noData }

    func setExtendedAttribute(
        _ name: String,
        to value: [UInt8],
        of inode: InodeNumber,
        _ mode: ExtendedAttributeMode
    ) async throws(FilesystemError) { throw .notPermitted }

    func removeExtendedAttribute(_ name: String, of inode: InodeNumber)
        async throws(FilesystemError)
    { throw .notPermitted }

    func extendedAttributeNames(of inode: InodeNumber) async throws(FilesystemError) -> [String] {
        []
    }

    // MARK: Open files

    func openFromMemory(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) throws(FilesystemError) -> HandleID? { nil }

    func willCache(_ handle: HandleID) {}

    func caching(of handle: HandleID) -> Caching { .none }

    func listingCaching(of handle: HandleID) -> Caching { .none }

    func fileToAsk(_ handle: HandleID, offset: Int) -> InodeNumber? { nil }

    func readAsking(
        _ handle: HandleID,
        offset: Int,
        count: Int,
        by caller: CallerID
    ) async throws(FilesystemError) -> ArraySlice<UInt8> { throw .badHandle }

    /// All that lead anywhere else than to keys are the mounting user's own.
    func limitStream(
        _ handle: HandleID,
        to userID: UInt32,
        isInGroup: (_ groupID: UInt32) -> Bool
    ) {}

    func invalidationBarrier() async {}

    func isClean(_ handle: HandleID) -> Bool { true }

    func flush(_ handle: HandleID) async throws(FilesystemError) {}

    func releaseToStore(_ handle: HandleID) async {}
}
