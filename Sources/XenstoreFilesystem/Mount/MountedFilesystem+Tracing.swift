/// What the log and the status of a mount say of requests.
extension MountedFilesystem {
    public func path(of subject: RequestSubject) -> String {
        switch subject {
        case .inode(let inode):
            path(of: inode)
        case .name(let name, let directory):
            path(of: directory, name)
        case .names(let name, let directory, let newName, let newDirectory):
            "\(path(of: directory, name)) to \(path(of: newDirectory, newName))"
        case .handle(let handle) where FilesystemID(of: handle) == .control:
            (try? files.find(handle.own)).map { path(of: $0.inode) } ?? "?"
        case .directoryHandle(let handle) where FilesystemID(of: handle) == .control:
            "/.xsfs"
        case .handle(let handle):
            path(in: FilesystemID(of: handle), of: .handle(handle.own))
        case .directoryHandle(let handle):
            path(in: FilesystemID(of: handle), of: .directoryHandle(handle.own))
        }
    }

    private func path(of directory: InodeNumber, _ name: String) -> String {
        let path = path(of: directory)
        return path == "/" ? "/\(name)" : "\(path)/\(name)"
    }

    private func path(of inode: InodeNumber) -> String {
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
