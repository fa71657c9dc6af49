/// What the kernel's requests are handed to: the filesystems that a mount is made of.
///
/// Numbers of inodes and handles are of one filesystem each. Who takes a request asks for the one
/// that it is for, and has that answer. All of it belongs to one thread.
public protocol MountOperations: AnyObject {
    /// The filesystem that answers a request.
    ///
    /// - Parameter isAgent: whether the inotify agent asks.
    /// - Throws: what the request fails with where there is none, such as
    ///   ``FilesystemError/stale`` or ``FilesystemError/crossDevice``.
    func filesystem(
        for operation: KernelOperation,
        on subject: RequestSubject,
        byAgent isAgent: Bool
    ) throws(FilesystemError) -> any FilesystemOperations
    /// What a request fails with.
    ///
    /// - Parameter filesystem: the one that has failed with `error`.
    func error(
        _ error: FilesystemError,
        of filesystem: any FilesystemOperations
    ) -> FilesystemError
    /// The filesystem of an inode, for what awaits no answer; nil where that has ended.
    func filesystem(of inode: InodeNumber) -> (any FilesystemOperations)?
    /// The filesystem of an open file; nil where that has ended.
    func filesystem(of handle: HandleID) -> (any FilesystemOperations)?
    /// The filesystem of the store itself, which invalidations are of.
    var storeFilesystem: any FilesystemOperations { get }
    /// What the inotify agent sees of it.
    var inotifyReplay: any InotifyReplayOperations { get }
    /// Ends all event streams, so that nobody waits any more.
    func endStreams()

    /// Where an inode is, from the mount's root on, as far as memory knows.
    func path(of inode: InodeNumber) -> String
    /// Where an open file is.
    func path(of handle: HandleID) -> String
    /// Where an open directory is.
    func path(ofDirectory handle: HandleID) -> String
    /// Whether a handle is that of `.xsfs/log`: to trace what is read from it would have no end.
    func isLog(_ handle: HandleID) -> Bool
    /// Begins to count what a request of the kernel costs in requests to the store, until
    /// ``takeCost(ofTraced:)``.
    func beginCost(ofTraced number: UInt64)
    /// What a request of the kernel has cost in requests to the store.
    func takeCost(ofTraced number: UInt64) -> StoreCost
}

extension MountOperations {
    /// Where a request's subject is, from the mount's root on, as far as memory knows.
    public func path(of subject: RequestSubject) -> String {
        switch subject {
        case .inode(let inode): path(of: inode)
        case .name(let name, let directory): path(of: directory).appending(name: name)
        case .names(let name, let directory, let newName, let newDirectory):
            path(of: .name(name, in: directory)) + " to "
                + path(of: .name(newName, in: newDirectory))
        case .handle(let handle): path(of: handle)
        case .directoryHandle(let handle): path(ofDirectory: handle)
        }
    }
}
