import ChangeNotification
import XenstoreProtocol

/// A file that is no key: of this mount, in memory, never sent to the store.
///
/// Editors and scripts write beside a file and rename. What they write beside it is one of these;
/// the renaming is the write to the key.
final class ScratchFile {
    let inode: InodeNumber
    fileprivate(set) var name: String
    /// Nil when the name is gone, and only open handles are left.
    fileprivate(set) var directory: KeyNode?
    fileprivate(set) var content: [UInt8] = []
    /// What a key made in its place would inherit.
    let inherited: Permissions
    /// The permissions that were set on it, to be given to the key that it is renamed to.
    var chosen: Permissions? {
        didSet { chosenMode = nil }
    }
    /// The mode that was set on it while its entries were not: those of the key that it is renamed
    /// to stay under this mask.
    var chosenMode: UInt32?
    var chosenOwner: DomainID?
    /// The key that it was renamed to while it was open: what the handle writes from then on goes
    /// there.
    var destination: KeyNode?
    var modified: Timestamp
    /// Of the last change of anything.
    var changed: Timestamp
    fileprivate var handleCount = 0

    init(
        inode: InodeNumber,
        name: String,
        directory: KeyNode,
        inherited: Permissions,
        modified: Timestamp
    ) {
        self.inode = inode
        self.name = name
        self.directory = directory
        self.inherited = inherited
        self.modified = modified
        changed = modified
    }

    var permissions: Permissions {
        var permissions = chosen ?? inherited
        permissions.owner = chosenOwner ?? permissions.owner
        guard let chosenMode else { return permissions }
        return ModeBits.permissions(permissions, under: chosenMode, hiding: 0)
    }
    var size: Int { content.count }

    /// The key that it was renamed to has another node now.
    func move(to key: KeyNode) {
        guard let old = destination else { return }
        old.handleCount -= 1
        key.handleCount += 1
        destination = key
    }
}

/// The scratch files of a mount, by number and by place, within bounds.
final class ScratchTable {
    /// Keys have smaller numbers.
    private let firstInode: UInt64
    private var byInode: [InodeNumber: ScratchFile] = [:]
    private var byPlace: [DentryKey: ScratchFile] = [:]
    private var directories: [InodeNumber: ScratchDirectory] = [:]
    /// By the number of the key that it is in.
    private var directoryOf: [UInt64: ScratchDirectory] = [:]
    private var next: UInt64
    private var bytes = 0

    init(of filesystem: FilesystemID) {
        firstInode = filesystem.firstScratch
        next = firstInode
    }

    /// The file that the kernel's number stands for.
    func find(_ inode: InodeNumber) -> ScratchFile? {
        inode.rawValue < firstInode ? nil : byInode[inode]
    }

    /// The file of this name.
    func find(_ name: String, in directory: KeyNode) -> ScratchFile? {
        byPlace.isEmpty ? nil : byPlace[DentryKey(directory: directory.id, name: name)]
    }

    /// The names of the files in a directory, in order, and of a directory.
    func names(in directory: KeyNode) -> [String] {
        let names = byPlace.keys.filter { $0.directory == directory.id }.map(\.name).sorted()
        return self.directory(in: directory) == nil ? names : names + [ScratchDirectory.name]
    }

    // MARK: Directories

    /// The directory that the kernel's number stands for.
    func directory(_ inode: InodeNumber) -> ScratchDirectory? {
        inode.rawValue < firstInode ? nil : directories[inode]
    }

    /// The directory in a key's.
    func directory(in key: KeyNode) -> ScratchDirectory? {
        directoryOf.isEmpty ? nil : directoryOf[key.id]
    }

    /// The directory that a node stands for.
    func directory(of node: KeyNode) -> ScratchDirectory? {
        directories.isEmpty ? nil : directories[node.inode(.directory)]
    }

    /// Makes a directory in a key's that has none.
    func makeDirectory(
        in key: KeyNode,
        inherited: Permissions,
        now: Timestamp
    ) throws(FilesystemError) -> ScratchDirectory {
        guard directory(in: key) == nil else { throw .exists }
        guard byInode.count + directories.count < FilesystemLimits.scratchFiles else {
            throw .noSpace
        }
        // Directories have odd numbers.
        next |= 1
        let made = ScratchDirectory(
            inode: InodeNumber(rawValue: next),
            inherited: inherited,
            modified: now
        )
        next += 1
        directories[made.inode] = made
        directoryOf[key.id] = made
        key.handleCount += 1
        return made
    }

    /// Takes the directory in a key's away, and the names of the files in it.
    func removeDirectory(in key: KeyNode) {
        guard let gone = directoryOf.removeValue(forKey: key.id) else { return }
        key.handleCount -= 1
        unlinkAll(in: gone.node)
        directories[gone.inode] = nil
    }

    // MARK: Files

    /// Makes a file of a name that is free.
    ///
    /// - Throws: ``FilesystemError/noSpace`` where there are ``FilesystemLimits/scratchFiles``.
    func make(
        _ name: String,
        in directory: KeyNode,
        inherited: Permissions,
        now: Timestamp
    ) throws(FilesystemError) -> ScratchFile {
        guard byInode.count + directories.count < FilesystemLimits.scratchFiles else {
            throw .noSpace
        }
        let file = ScratchFile(
            inode: InodeNumber(rawValue: next),
            name: name,
            directory: directory,
            inherited: inherited,
            modified: now
        )
        next += 1
        byInode[file.inode] = file
        place(file, directory, name)
        return file
    }

    /// Gives a file other content.
    ///
    /// - Throws: ``FilesystemError/noSpace`` where all together would exceed
    ///   ``FilesystemLimits/scratchBytes``; the content is as it was.
    func edit(
        _ file: ScratchFile,
        size: Int,
        _ body: (inout [UInt8]) -> Void
    ) throws(FilesystemError) {
        guard size <= FilesystemLimits.scratchBytes - (bytes - file.size) else { throw .noSpace }
        bytes -= file.size
        body(&file.content)
        bytes += file.size
    }

    /// Gives a file another place, which must be free.
    func move(_ file: ScratchFile, to name: String, in directory: KeyNode) {
        removeDentry(file)
        place(file, directory, name)
    }

    /// The file has become the value of a key: who has it open writes to that from now on.
    func becomeKey(_ file: ScratchFile, _ key: KeyNode) {
        removeDentry(file)
        if file.handleCount > 0 {
            key.handleCount += 1
            file.destination = key
        }
        dropUnused(file)
    }

    /// Takes a file's name away. Who has it open keeps it.
    func unlink(_ file: ScratchFile) {
        removeDentry(file)
        dropUnused(file)
    }

    // MARK: Handles

    func addHandle(_ file: ScratchFile) {
        file.handleCount += 1
    }

    /// - Returns: a key that the file no longer keeps in use.
    func removeHandle(_ file: ScratchFile) -> KeyNode? {
        file.handleCount -= 1
        defer { dropUnused(file) }
        guard file.handleCount == 0, let key = file.destination else { return nil }
        file.destination = nil
        key.handleCount -= 1
        return key
    }

    private func dropUnused(_ file: ScratchFile) {
        // The kernel may know it still, but nobody can open it.
        guard file.directory == nil, file.handleCount == 0 else { return }
        guard byInode.removeValue(forKey: file.inode) != nil else { return }
        bytes -= file.size
    }

    private func place(_ file: ScratchFile, _ directory: KeyNode, _ name: String) {
        // The directory stays known, and with it where the file is.
        directory.handleCount += 1
        file.directory = directory
        file.name = name
        byPlace[DentryKey(directory: directory.id, name: name)] = file
    }

    /// Gives all files in a directory to the one that takes its place.
    func moveAll(from directory: KeyNode, to other: KeyNode) {
        for (place, file) in byPlace where place.directory == directory.id {
            move(file, to: file.name, in: other)
        }
        guard let made = directoryOf.removeValue(forKey: directory.id) else { return }
        directory.handleCount -= 1
        directoryOf[other.id] = made
        other.handleCount += 1
    }

    /// Takes the names of all files in a directory away: it is gone.
    func unlinkAll(in directory: KeyNode) {
        if !directoryOf.isEmpty { removeDirectory(in: directory) }
        guard !byPlace.isEmpty else { return }
        for (place, file) in byPlace where place.directory == directory.id {
            unlink(file)
        }
    }

    /// Takes a file out of its place, to be given another.
    func removeDentry(_ file: ScratchFile) {
        guard let directory = file.directory else { return }
        byPlace[DentryKey(directory: directory.id, name: file.name)] = nil
        directory.handleCount -= 1
        file.directory = nil
    }
}
