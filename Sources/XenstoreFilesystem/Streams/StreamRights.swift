/// The owner and the mode of a directory, by which the kernel checks rights.
struct ShownRights {
    let mode: UInt32
    let userID: UInt32
}

/// A user for whom lines of a stream are left out.
struct StreamReader {
    let userID: UInt32
    /// Whether the user is in the group of all files.
    let isInGroup: Bool

    /// Whether the name of a key may be seen: all directories above it can be walked through, and
    /// the one that it is in can be listed.
    ///
    /// - Parameter directories: the closest first; nil for one of which nothing is known.
    func maySeeWhat(isIn directories: [ShownRights?]) -> Bool {
        directories.enumerated().allSatisfy { index, rights in
            guard let rights else { return false }
            let needed: UInt32 = index == 0 ? 0o5 : 0o1
            return bits(of: rights) & needed == needed
        }
    }

    private func bits(of rights: ShownRights) -> UInt32 {
        if rights.userID == userID { return rights.mode >> 6 & 0o7 }
        return (isInGroup ? rights.mode >> 3 : rights.mode) & 0o7
    }
}
