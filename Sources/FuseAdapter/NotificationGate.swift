import XenstoreFilesystem

/// Holds notifications back while one of our own answers in that directory is outstanding: the
/// kernel would make the notifier wait for it, and a daemon killed at that moment would leave both
/// stuck.
struct NotificationGate {
    private var busy: [InodeNumber: Int] = [:]
    private var held: [InodeNumber: [KernelNotification]] = [:]

    /// Whether anything is held back.
    var holdsAny: Bool { !held.isEmpty }

    /// A request that locks the directory has come.
    mutating func enter(_ directory: InodeNumber) {
        busy[directory, default: 0] += 1
    }

    /// A request that locked the directory was answered.
    ///
    /// - Returns: what was held back for it, and may go now.
    mutating func leave(_ directory: InodeNumber) -> [KernelNotification] {
        guard let count = busy[directory] else {
            preconditionFailure("a directory is left that was not entered")
        }
        guard count == 1 else {
            busy[directory] = count - 1
            return []
        }
        busy[directory] = nil
        return held.removeValue(forKey: directory) ?? []
    }

    /// - Returns: the notification if it may go at once.
    mutating func pass(_ notification: KernelNotification) -> KernelNotification? {
        let inode = notification.lockedInode
        guard busy[inode] != nil else { return notification }
        held[inode, default: []].append(notification)
        return nil
    }

    /// Whether this notification is held back.
    func holds(_ notification: KernelNotification) -> Bool {
        held[notification.lockedInode]?.contains(notification) ?? false
    }
}

extension KernelNotification {
    /// What the kernel locks to take it.
    fileprivate var lockedInode: InodeNumber {
        switch self {
        case .name(let directory, _): directory
        case .content(let inode): inode
        }
    }

    /// What is to be forgotten, and of what, for the log.
    var text: (what: String, of: RequestSubject) {
        switch self {
        case .name(let directory, let name): ("entry", .name(name, in: directory))
        case .content(let inode): ("inode", .inode(inode))
        }
    }
}
