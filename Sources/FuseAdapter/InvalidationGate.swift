import XenstoreFilesystem

/// Holds invalidations back while one of our own answers in that directory is outstanding: the
/// kernel would make the thread wait for it, and a daemon killed at that moment would leave both
/// stuck.
struct InvalidationGate {
    private var busy: [InodeNumber: Int] = [:]
    private var held: [InodeNumber: [Invalidation]] = [:]

    /// Whether anything is held back.
    var holdsAny: Bool { !held.isEmpty }

    /// A request that locks the directory has come.
    mutating func enter(_ directory: InodeNumber) {
        busy[directory, default: 0] += 1
    }

    /// A request that locked the directory was answered.
    ///
    /// - Returns: what was held back for it, and may go now.
    mutating func leave(_ directory: InodeNumber) -> [Invalidation] {
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

    /// - Returns: the invalidation if it may go at once.
    mutating func pass(_ invalidation: Invalidation) -> Invalidation? {
        let inode = invalidation.lockedInode
        guard busy[inode] != nil else { return invalidation }
        held[inode, default: []].append(invalidation)
        return nil
    }

    /// Whether this invalidation is held back.
    func holds(_ invalidation: Invalidation) -> Bool {
        held[invalidation.lockedInode]?.contains(invalidation) ?? false
    }
}

extension Invalidation {
    /// What the kernel locks to take it.
    fileprivate var lockedInode: InodeNumber {
        switch self {
        case .entry(let directory, _): directory
        case .inode(let inode): inode
        }
    }

    /// What is to be forgotten, and of what, for the log.
    var text: (what: String, of: RequestSubject) {
        switch self {
        case .entry(let directory, let name): ("entry", .name(name, in: directory))
        case .inode(let inode): ("inode", .inode(inode))
        }
    }
}
