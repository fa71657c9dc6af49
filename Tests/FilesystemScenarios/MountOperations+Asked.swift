public import XenstoreFilesystem

extension MountOperations {
    /// The filesystem that is asked, as the kernel's adapter asks it.
    public func asked(
        _ operation: KernelOperation,
        _ subject: RequestSubject
    ) throws(FilesystemError) -> any FilesystemOperations {
        try filesystem(for: operation, on: subject, byAgent: false)
    }

    /// The filesystem that is asked for something about an inode.
    public func asked(
        _ operation: KernelOperation,
        _ inode: InodeNumber
    ) throws(FilesystemError) -> any FilesystemOperations {
        try filesystem(for: operation, on: .inode(inode), byAgent: false)
    }
}
