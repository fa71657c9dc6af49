/// What the log and the status of a mount say of requests.
extension MountedFilesystem {
    public func path(of handle: HandleID) -> String {
        guard FilesystemID(of: handle) == .control else {
            return path(in: FilesystemID(of: handle), of: .handle(handle.own))
        }
        return (try? files.find(handle.own)).map { path(of: $0.inode) } ?? "?"
    }

    public func path(ofDirectory handle: HandleID) -> String {
        guard FilesystemID(of: handle) == .control else {
            return path(in: FilesystemID(of: handle), of: .directoryHandle(handle.own))
        }
        // The first of the names is that of the directory itself.
        guard case .known(let inode, _)? = (try? directories.find(handle.own))?.first?.target else {
            return "?"
        }
        return path(of: inode)
    }

    public func path(of inode: InodeNumber) -> String {
        switch Control(inode) {
        case .transactions: return "/.txn"
        case .conflict: return "/.txn/.conflict"
        case .directory: return "/.xsfs"
        case .commands: return "/.xsfs/ctl"
        case .status: return "/.xsfs/status"
        case .log: return "/.xsfs/log"
        case nil: break
        }
        let fsid = FilesystemID(of: inode)
        guard inode.own != Control.changes else { return "\(root(of: fsid))/.changes" }
        return path(in: fsid, of: .inode(inode.own))
    }

    private func path(in fsid: FilesystemID, of subject: RequestSubject) -> String {
        let path = tree(fsid)?.path(of: subject) ?? "?"
        guard fsid != .store else { return path }
        return path == "/" ? root(of: fsid) : root(of: fsid) + path
    }

    /// Where a transaction is in the mount.
    private func root(of fsid: FilesystemID) -> String {
        transactions[fsid].map { "/.txn/\($0.name)" } ?? "/.txn/?"
    }

    public func beginCost(ofTraced number: UInt64) { access.costs.begin(number) }

    public func takeCost(ofTraced number: UInt64) -> StoreCost { access.costs.end(number) }
}
