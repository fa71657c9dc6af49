public import XenstoreFilesystem
public import XenstoreProtocol
import XenstoreStore

/// The filesystem without a kernel: walks paths and keeps names as the kernel does.
public final class InProcessSurface<Access: XenstoreAccess>: Surface {
    private struct Name: Hashable {
        let directory: InodeNumber
        let name: String
    }

    private struct Dentry {
        let inode: InodeNumber
        let kind: FileKind
    }

    public private(set) var store: any XenstoreAccess
    public let filesystem: MountedFilesystem<Access>
    private let deliver: () -> Void
    /// All system calls come from one program.
    let caller = CallerID(rawValue: 1)
    private let kernel: Kernel
    /// What comes before each path.
    private var prefix: [String] = []
    public private(set) var hasEvents = true

    /// What the kernel knows, shared with the filesystem's invalidations.
    private final class Kernel {
        var names: [Name: Dentry] = [:]
        /// Of directories.
        var parents: [InodeNumber: InodeNumber] = [:]
        var directoryNames: [InodeNumber: Name] = [:]
        var reports: [String] = []
        var started: [() async -> Void] = []
        var deliver: () -> Void = {}
        private var time: UInt32 = 0

        /// Another moment each time.
        func now() -> Timestamp {
            time += 1
            return Timestamp(seconds: 1, nanoseconds: time)
        }

        /// Forgets a name, and all below it.
        func forget(_ name: Name) {
            guard let dentry = names.removeValue(forKey: name), dentry.kind == .directory else {
                return
            }
            for below in names.keys where below.directory == dentry.inode { forget(below) }
        }
    }

    /// - Parameters:
    ///   - access: the filesystem's way to the store.
    ///   - other: another client's.
    ///   - deliver: brings the events that have come to the filesystem.
    public init(
        _ access: Access,
        other: any XenstoreAccess,
        options: FilesystemOptions,
        deliver: @escaping (MountedFilesystem<Access>) -> Void
    ) {
        let kernel = Kernel()
        let start = ContinuousClock.now
        store = other
        filesystem = MountedFilesystem(
            access,
            options: options,
            environment: FilesystemEnvironment(
                now: { kernel.now() },
                elapsed: { ContinuousClock.now - start },
                start: { work in kernel.started.append(work) },
                later: { work in kernel.started.append { work() } },
                invalidate: { invalidation, _ in
                    switch invalidation {
                    case .entry(let directory, let name):
                        kernel.forget(Name(directory: directory, name: name))
                    // This kernel keeps names alone.
                    case .inode: break
                    }
                },
                report: { text in kernel.reports.append(text) },
                takeEvents: {
                    kernel.deliver()
                    return true
                }
            )
        )
        self.kernel = kernel
        let filesystem = filesystem
        self.deliver = { deliver(filesystem) }
        kernel.deliver = self.deliver
    }

    /// Goes on inside a transaction: what follows sees the store as that one does, and so does
    /// ``store``.
    public func enterTransaction() async throws {
        try await makeDirectory("/.txn/all")
        guard let access = filesystem.transactionAccess(named: "all") else {
            throw FilesystemError.noEntry
        }
        store = access
        prefix = [".txn", "all"]
        hasEvents = false
    }

    /// Errors that no system call could report.
    public var reported: [String] { kernel.reports }

    /// Names that the kernel keeps.
    public var keptNames: Int { kernel.names.count }

    /// Brings what has happened in the store to the filesystem.
    public func waitUntilIdle() async {
        deliver()
        while !kernel.started.isEmpty {
            let work = kernel.started
            kernel.started = []
            for work in work {
                await work()
            }
            deliver()
        }
    }

    // MARK: Walking

    /// Runs a system call on a path's last name, and once more with all names looked up again where
    /// the filesystem says that what the kernel knows is stale: as the kernel does.
    private func call<Value>(
        _ path: String,
        _ body: (_ parent: InodeNumber, _ name: String) async throws -> Value
    ) async throws -> Value {
        await waitUntilIdle()
        let names = names(of: path)
        let last = names.last ?? "."
        do {
            return try await body(try await walk(names.dropLast()), last)
        } catch FilesystemError.stale {
            kernel.names = [:]
            return try await body(try await walk(names.dropLast()), last)
        }
    }

    private func names(of path: String) -> [String] {
        prefix + path.split(separator: "/").map(String.init)
    }

    private func walk(_ names: ArraySlice<String>) async throws -> InodeNumber {
        var directory = InodeNumber.root
        for name in names {
            let dentry = try await find(name, in: directory)
            guard dentry.kind == .directory else { throw FilesystemError.notDirectory }
            directory = dentry.inode
        }
        return directory
    }

    private func find(_ name: String, in directory: InodeNumber) async throws -> Dentry {
        if name == "." { return Dentry(inode: directory, kind: .directory) }
        let key = Name(directory: directory, name: name)
        if let known = kernel.names[key] { return known }
        let entry = try await filesystem.asked(.lookup, .name(name, in: directory))
            .lookup(name, in: directory, by: caller)
        let dentry = Dentry(inode: entry.attributes.inode, kind: entry.attributes.kind)
        if dentry.kind == .directory {
            kernel.parents[dentry.inode] = directory
            // A directory has one name: another one takes its place.
            if let old = kernel.directoryNames.updateValue(key, forKey: dentry.inode), old != key {
                kernel.names[old] = nil
            }
        }
        if entry.nameLifetime > 0 { kernel.names[key] = dentry }
        return dentry
    }

    /// What a name leads to that is to be new: the kernel asks anew.
    private func findIfAny(_ name: String, in directory: InodeNumber) async throws -> Dentry? {
        do {
            forget(name, in: directory)
            return try await find(name, in: directory)
        } catch FilesystemError.noEntry {
            return nil
        }
    }

    /// Whether a directory is another, or one above it.
    private func isAbove(_ directory: InodeNumber, _ other: InodeNumber) -> Bool {
        var next: InodeNumber? = other
        while let inode = next, inode != directory { next = kernel.parents[inode] }
        return next != nil
    }

    private func forget(_ name: String, in directory: InodeNumber) {
        kernel.names[Name(directory: directory, name: name)] = nil
    }

    /// Opens as open(2) does.
    private func openFile(
        _ path: String,
        _ flags: OpenFlags,
        mode: UInt32 = 0o644,
        creating: Bool = true
    ) async throws -> (InodeNumber, HandleID) {
        try await call(path) { parent, name in
            do {
                if flags.contains(.exclusive) { forget(name, in: parent) }
                let dentry = try await find(name, in: parent)
                guard !flags.contains(.exclusive) else { throw FilesystemError.exists }
                guard dentry.kind == .file else { throw FilesystemError.isDirectory }
                let handle = try await filesystem.asked(.open, dentry.inode)
                    .open(dentry.inode, flags, by: caller)
                return (dentry.inode, handle)
            } catch FilesystemError.noEntry where creating {
                let asked = try filesystem.asked(.create, .name(name, in: parent))
                let (entry, handle) = try await asked.create(
                    name,
                    in: parent,
                    flags,
                    mode: mode,
                    by: caller
                )
                if entry.nameLifetime > 0 {
                    kernel.names[Name(directory: parent, name: name)] = Dentry(
                        inode: entry.attributes.inode,
                        kind: entry.attributes.kind
                    )
                }
                return (entry.attributes.inode, handle)
            }
        }
    }

    private func openForWriting(
        _ path: String,
        _ flags: OpenFlags,
        mode: UInt32 = 0o644
    ) async throws -> HandleID {
        try await openFile(path, flags, mode: mode).1
    }

    public func open(
        _ path: String,
        _ flags: OpenFlags,
        creating: Bool
    ) async throws -> any SurfaceFile {
        let (inode, handle) = try await openFile(path, flags, creating: creating)
        return InProcessFile(surface: self, inode: inode, handle: handle)
    }

    func close(_ handle: HandleID) async throws {
        let result = await Result(catching: {
            try await filesystem.asked(.flush, .handle(handle)).flush(handle)
        })
        try await filesystem.asked(.release, .handle(handle)).release(handle)
        try result.get()
    }

    // MARK: System calls

    public func read(_ path: String) async throws -> [UInt8] {
        let handle = try await call(path) { parent, name in
            let dentry = try await find(name, in: parent)
            return try await filesystem.asked(.open, dentry.inode)
                .open(dentry.inode, .read, by: caller)
        }
        let opened = try filesystem.asked(.read, .handle(handle))
        let bytes = try opened.read(handle, offset: 0, count: 1 << 20)
        try await filesystem.asked(.release, .handle(handle)).release(handle)
        return Array(bytes)
    }

    public func write(_ bytes: [UInt8], to path: String) async throws {
        let handle = try await openForWriting(path, [.write, .truncate])
        // A shell closes a copy of the descriptor first.
        try await filesystem.asked(.flush, .handle(handle)).flush(handle)
        guard bytes.isEmpty else { return try await write(bytes, to: handle) }
        try await close(handle)
    }

    public func append(_ bytes: [UInt8], to path: String) async throws {
        try await write(bytes, to: try await openForWriting(path, [.write, .append]))
    }

    /// Writes, and closes whatever comes of it.
    private func write(_ bytes: [UInt8], to handle: HandleID) async throws {
        let result = await Result(catching: {
            try await filesystem.asked(.write, .handle(handle)).write(bytes, to: handle, offset: 0)
        })
        try await close(handle)
        try result.get()
    }

    public func createExclusively(_ path: String) async throws {
        let handle = try await openForWriting(path, [.write, .exclusive])
        try await close(handle)
    }

    public func makeTemporary(_ bytes: [UInt8], at path: String) async throws {
        let handle = try await openForWriting(path, [.read, .write, .exclusive], mode: 0o600)
        try await write(bytes, to: handle)
    }

    public func truncate(_ path: String, to size: Int) async throws {
        try await change(path, AttributeChanges(size: size))
    }

    private func attributes(of path: String) async throws -> Attributes {
        try await call(path) { parent, name in
            let inode = try await find(name, in: parent).inode
            return try await filesystem.asked(.getattr, inode).attributes(of: inode, by: caller)
        }
    }

    public func status(_ path: String) async throws -> Status {
        let attributes = try await attributes(of: path)
        return Status(
            kind: attributes.kind,
            size: attributes.size,
            mode: attributes.mode,
            userID: attributes.userID
        )
    }

    public func times(_ path: String) async throws -> Times {
        let attributes = try await attributes(of: path)
        return Times(
            inode: attributes.inode.rawValue,
            modified: attributes.modified.sinceEpoch,
            changed: attributes.changed.sinceEpoch
        )
    }

    public func setModified(_ time: Timestamp, of path: String) async throws {
        try await change(path, AttributeChanges(modified: time))
    }

    public func list(_ path: String) async throws -> [(name: String, kind: FileKind)] {
        let handle = try await call(path) { parent, name in
            let dentry = try await find(name, in: parent)
            guard dentry.kind == .directory else { throw FilesystemError.notDirectory }
            return try await filesystem.asked(.opendir, dentry.inode)
                .openDirectory(dentry.inode, by: caller)
        }
        defer { filesystem.filesystem(of: handle)?.releaseDirectory(handle) }
        var listed: [(name: String, kind: FileKind)] = []
        var offset = 0
        while true {
            var room = 100
            let part = try await filesystem.asked(.readdirplus, .directoryHandle(handle)).list(
                handle,
                offset: offset
            ) { _ in
                room -= 1
                return room >= 0
            }
            guard let last = part.last else { return listed }
            offset = last.nextOffset
            for entry in part {
                guard entry.name != ".", entry.name != ".." else { continue }
                switch entry.target {
                case .entry(let target):
                    listed.append((entry.name, target.attributes.kind))
                    let inode = target.attributes.inode
                    filesystem.filesystem(of: inode)?.forget(inode, count: 1)
                case .known(_, let kind): listed.append((entry.name, kind))
                case .unknown: continue
                }
            }
        }
    }

    public func makeDirectory(_ path: String) async throws {
        try await call(path) { parent, name in
            guard try await findIfAny(name, in: parent) == nil else {
                throw FilesystemError.exists
            }
            _ = try await filesystem.asked(.mkdir, .name(name, in: parent))
                .makeDirectory(name, in: parent, by: caller)
        }
    }

    public func removeDirectory(_ path: String) async throws {
        try await call(path) { parent, name in
            let dentry = try await find(name, in: parent)
            guard dentry.kind == .directory else { throw FilesystemError.notDirectory }
            let asked = try filesystem.asked(.rmdir, .name(name, in: parent))
            try await asked.removeDirectory(name, in: parent)
            forget(name, in: parent)
        }
    }

    public func unlink(_ path: String) async throws {
        try await call(path) { parent, name in
            let dentry = try await find(name, in: parent)
            guard dentry.kind == .file else { throw FilesystemError.isDirectory }
            try await filesystem.asked(.unlink, .name(name, in: parent)).unlink(name, in: parent)
            forget(name, in: parent)
        }
    }

    public func rename(_ path: String, to newPath: String, _ mode: RenameMode) async throws {
        try await call(path) { parent, name in
            let newNames = names(of: newPath)
            let newParent = try await walk(newNames.dropLast())
            let newName = newNames.last ?? ""
            guard try await mayRename(name, in: parent, to: newName, in: newParent, mode) else {
                return
            }
            let names = RequestSubject.names(name, in: parent, new: newName, newIn: newParent)
            try await filesystem.asked(.rename, names).rename(
                name,
                in: parent,
                to: newName,
                in: newParent,
                mode,
                by: caller
            )
            forget(name, in: parent)
            forget(newName, in: newParent)
        }
    }

    /// What the kernel sees to before it asks.
    ///
    /// - Returns: whether there is anything to do.
    private func mayRename(
        _ name: String,
        in parent: InodeNumber,
        to newName: String,
        in newParent: InodeNumber,
        _ mode: RenameMode
    ) async throws -> Bool {
        let source = try await find(name, in: parent)
        guard let target = try await findIfAny(newName, in: newParent) else {
            guard mode != .exchange else { throw FilesystemError.noEntry }
            guard !isAbove(source.inode, newParent) else { throw FilesystemError.invalid }
            return true
        }
        guard mode != .keep else { throw FilesystemError.exists }
        guard !isAbove(source.inode, newParent) else { throw FilesystemError.invalid }
        guard !isAbove(target.inode, parent) else {
            throw mode == .exchange ? FilesystemError.invalid : FilesystemError.notEmpty
        }
        guard source.inode != target.inode else { return false }
        guard source.kind == target.kind || mode == .exchange else {
            throw source.kind == .file ? FilesystemError.isDirectory : FilesystemError.notDirectory
        }
        return true
    }

    public func setMode(_ mode: UInt32, of path: String) async throws {
        try await change(path, AttributeChanges(mode: mode))
    }

    public func setOwner(_ userID: UInt32, of path: String) async throws {
        try await change(path, AttributeChanges(userID: userID))
    }

    public func setGroup(_ groupID: UInt32, of path: String) async throws {
        try await change(path, AttributeChanges(groupID: groupID))
    }

    private func change(_ path: String, _ changes: AttributeChanges) async throws {
        try await call(path) { parent, name in
            let dentry = try await find(name, in: parent)
            _ = try await filesystem.asked(.setattr, dentry.inode)
                .setAttributes(changes, of: dentry.inode, handle: nil)
        }
    }

    public func attribute(_ name: String, of path: String) async throws -> [UInt8] {
        try await call(path) { parent, last in
            let dentry = try await find(last, in: parent)
            return try await filesystem.asked(.getxattr, dentry.inode)
                .extendedAttribute(name, of: dentry.inode)
        }
    }

    public func removeAttribute(_ name: String, of path: String) async throws {
        try await call(path) { parent, last in
            let dentry = try await find(last, in: parent)
            try await filesystem.asked(.removexattr, dentry.inode)
                .removeExtendedAttribute(name, of: dentry.inode)
        }
    }

    public func setAttribute(_ name: String, to value: [UInt8], of path: String) async throws {
        try await call(path) { parent, last in
            let dentry = try await find(last, in: parent)
            try await filesystem.asked(.setxattr, dentry.inode)
                .setExtendedAttribute(name, to: value, of: dentry.inode, .any)
        }
    }
}

extension Timestamp {
    fileprivate var sinceEpoch: Int { Int(seconds) * 1_000_000_000 + Int(nanoseconds) }
}
