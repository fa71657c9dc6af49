import Glibc
import Reactor
import SystemPackage
import XenstoreStore

/// The file that keeps a store beyond its process: a snapshot, and a log of records.
///
/// What is acknowledged was written and synced before. A process or a machine that dies may leave
/// half a record at the end, which nobody was answered: it is cut off. All else that is not as it
/// was written is refused. A log that has grown is replaced by a snapshot, which is whole and on
/// the disk before it takes the name.
final class StateFile {
    /// Bytes of the log from which on a snapshot may replace it.
    private static let smallestReplaced = 1 << 20
    /// The log is replaced when the file has grown to so many times the last snapshot.
    private static let growthFactor = 3
    /// Bytes of a snapshot that are written at least with each record.
    private static let snapshotPiece = 1 << 18
    /// A piece of a snapshot has so many times the bytes of the record: so it comes to its end.
    private static let snapshotPace = 4

    /// Why nothing can be kept any more. Then the store must not go on.
    private(set) var failure: CommandError?
    /// Whether there was no file.
    let isNew: Bool

    private let isMade: Bool
    private let path: String
    private let store: Store
    private var file: FileDescriptor
    private var form = StateForm()
    private var size = 0
    private var sizeToReplace = StateFile.smallestReplaced
    private var snapshot: StateSnapshot?
    /// Whether the file is to be replaced before anything is added to it.
    private var isToReplace = false

    /// Takes the file for this process alone, makes it if it is missing, and makes the store what
    /// it holds.
    ///
    /// - Parameter repairing: whether to go on with what is whole in a file that is damaged. The
    ///   original is kept.
    /// - Throws: ``CommandError`` that names the file: it cannot be opened, is another process's,
    ///   is no state, or is damaged.
    init(_ path: String, for store: Store, repairing: Bool = false) throws {
        // A link is not to be replaced by a file.
        self.path =
            realpath(path, nil).map { resolved in
                defer { free(resolved) }
                return String(cString: resolved)
            } ?? path
        self.store = store
        (file, isMade) = try Self.open(self.path)
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0, Self.isNamed(self.path, file) else {
            throw CommandError("another process uses \(path)")
        }
        guard Self.isRegular(file) else { throw CommandError("\(path) is no file") }
        let bytes = try readAll(file, named: path)
        isNew = isMade || (repairing && StateForm.isBeginning(bytes))
        isToReplace = isNew
        if !isNew { try load(bytes, repairing) }
    }

    private func load(_ bytes: [UInt8], _ repairing: Bool) throws {
        guard let form = StateForm(of: bytes) else {
            guard StateForm.isBeginning(bytes) else { throw CommandError("\(path) is no state") }
            throw damaged(at: bytes.count, of: bytes.count)
        }
        self.form = form
        var load = StateLoad(form, bytes, into: store)
        do throws(StateLoad.Problem) {
            try load.readAll()
        } catch {
            if error.damage == .torn {
                let count = bytes.count - load.end
                Self.report(
                    "\(path): left out \(count) bytes at the end, which are no whole record"
                )
                size = load.end
                try cut()
            } else if repairing {
                try keepOriginal(bytes)
                load.salvage(from: error.offset)
                Self.report(
                    "\(path): repaired from byte \(error.offset) on; lost is what cannot be read, "
                        + "and \(load.lostChanges) changes that do not fit the rest"
                )
                isToReplace = true
            } else {
                throw damaged(at: error.offset, of: bytes.count)
            }
        }
        size = load.end
        let base = load.snapshotEnd ?? size
        sizeToReplace = max(Self.smallestReplaced, base * Self.growthFactor)
        if form.isFirst { isToReplace = true }
    }

    private func damaged(at offset: Int, of size: Int) -> CommandError {
        CommandError(
            "\(path) is damaged at byte \(offset) of \(size), and left as it is; "
                + "--state-repair goes on with what is whole, and keeps the original"
        )
    }

    /// Begins to keep the store, after it was filled if the file is new.
    ///
    /// - Throws: ``CommandError``.
    func start() throws {
        // What a process has left that died while it wrote a snapshot.
        _ = unlink(path + ".new")
        if isToReplace || size > sizeToReplace {
            do {
                snapshot = try StateSnapshot(of: store, named: path + ".new")
                while try !goOn(.max / 2) {}
            } catch {
                snapshot?.abandon()
                throw CommandError("cannot write \(path).new: \(error)")
            }
            if let failure { throw failure }
        }
        store.keepsJournal = true
    }

    /// Takes a file away that was made and never written.
    func abandon() {
        if isMade, size == 0 { _ = unlink(path) }
    }

    /// Writes and syncs what has changed.
    ///
    /// - Returns: false where that failed, then and at every later call; ``failure`` says why.
    func save() -> Bool {
        guard failure == nil else { return false }
        guard store.hasJournal else { return true }
        let record = store.takeJournal()
        do {
            // Each is on the disk before the next: then only the last can be torn.
            for frame in form.frames(record, at: size) {
                size += try file.writeAll(frame)
                guard fdatasync(file.rawValue) == 0 else { throw Errno.current }
            }
        } catch {
            failure = CommandError("cannot write \(path): \(error)")
            return false
        }
        snapshot?.add(record)
        replace(record.count)
        return failure == nil
    }

    /// Begins a snapshot where the log has grown enough, or goes on with it.
    private func replace(_ count: Int) {
        guard snapshot != nil || size > sizeToReplace else { return }
        do {
            if snapshot == nil {
                snapshot = try StateSnapshot(of: store, named: path + ".new")
            }
            _ = try goOn(max(Self.snapshotPiece, count * Self.snapshotPace))
        } catch {
            // The log is as good as the snapshot: where that does not succeed, it just grows on.
            snapshot?.abandon()
            snapshot = nil
            sizeToReplace = size * 2
        }
    }

    /// Writes a piece of the snapshot, and puts it in the place of the file after the last one.
    ///
    /// - Returns: whether that was the last.
    private func goOn(_ count: Int) throws -> Bool {
        guard let snapshot, try snapshot.goOn(count) else { return false }
        try snapshot.rename(to: path)
        self.snapshot = nil
        file.closeIgnoringErrors()
        file = snapshot.file
        form = snapshot.form
        size = snapshot.size
        sizeToReplace = max(Self.smallestReplaced, (snapshot.end ?? size) * Self.growthFactor)
        do {
            try syncDirectory()
        } catch {
            // The snapshot has the name, but a machine that dies may find the log instead: what
            // goes to the snapshot from now on could not be acknowledged.
            failure = CommandError("cannot sync the directory of \(path): \(error)")
        }
        return true
    }

    // MARK: Files

    /// - Returns: the file, and whether it was made.
    private static func open(_ path: String) throws -> (FileDescriptor, Bool) {
        func open(_ options: FileDescriptor.OpenOptions) throws(Errno) -> FileDescriptor {
            do {
                return try .open(
                    FilePath(path),
                    .readWrite,
                    options: options.union([.closeOnExec, .nonBlocking]),
                    permissions: [.ownerReadWrite]
                )
            } catch {
                throw error as? Errno ?? .ioError
            }
        }
        do throws(Errno) {
            do throws(Errno) {
                return (try open([.create, .exclusiveCreate]), true)
            } catch .fileExists {
                return (try open([]), false)
            }
        } catch {
            throw CommandError("cannot open \(path): \(error)")
        }
    }

    /// Cuts off what was being written when a process or a machine died.
    private func cut() throws {
        guard ftruncate(file.rawValue, off_t(size)) == 0,
            lseek(file.rawValue, 0, SEEK_END) == off_t(size)
        else { throw CommandError("cannot cut \(path): \(Errno.current)") }
    }

    /// Puts the bytes of a damaged file beside it, by a name that nothing has.
    private func keepOriginal(_ bytes: [UInt8]) throws {
        var number = 1
        while true {
            let name = path + (number == 1 ? ".damaged" : ".damaged-\(number)")
            do {
                let copy = try FileDescriptor.open(
                    FilePath(name),
                    .writeOnly,
                    options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
                    permissions: [.ownerReadWrite]
                )
                try copy.closeAfter {
                    try copy.writeAll(bytes)
                    guard fsync(copy.rawValue) == 0 else { throw Errno.current }
                }
                return Self.report("\(path): kept as it was in \(name)")
            } catch Errno.fileExists {
                number += 1
            } catch {
                throw CommandError("cannot keep \(path) in \(name): \(error)")
            }
        }
    }

    /// A new name is on the disk when its directory is.
    private func syncDirectory() throws {
        let parent = FilePath(path).removingLastComponent()
        let directory = try FileDescriptor.open(parent.isEmpty ? "." : parent, .readOnly)
        try directory.closeAfter {
            guard fsync(directory.rawValue) == 0 else { throw Errno.current }
        }
    }

    /// Whether an open file is still the one of that name: a process that had it may have put
    /// another there.
    private static func isNamed(_ path: String, _ file: FileDescriptor) -> Bool {
        var named = stat()
        var open = stat()
        return stat(path, &named) == 0 && fstat(file.rawValue, &open) == 0
            && named.st_ino == open.st_ino && named.st_dev == open.st_dev
    }

    private static func isRegular(_ file: FileDescriptor) -> Bool {
        var status = stat()
        return fstat(file.rawValue, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    private static func report(_ text: String) {
        // Where standard error is closed there is nowhere left to say so.
        _ = try? FileDescriptor.standardError.writeAll("xsfs: \(text)\n".utf8)
    }
}
