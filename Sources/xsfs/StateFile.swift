import Glibc
import SystemPackage
import XenstoreStore

/// The file that keeps a store beyond its process: a log of records, each with its length and
/// checksum before it.
///
/// What is acknowledged was written and synced before. A process that dies may leave half a record
/// at the end, of which nobody was told: it is cut off. A log that has grown is replaced by a
/// snapshot, which is whole and on the disk before it takes the name.
final class StateFile {
    private static let header = Array("xsfs state 1\n".utf8)
    private static let frameHeaderSize = 8
    /// Bytes of the log from which on a snapshot may replace it.
    private static let smallestReplaced = 1 << 20
    /// The log is replaced when it has grown to so many times the last snapshot.
    private static let growthFactor = 3

    /// Why nothing can be kept any more. Then the store must not go on.
    private(set) var failure: CommandError?
    /// Whether the file was empty or not there.
    let isNew: Bool

    private let path: String
    private let store: Store
    private var file: FileDescriptor
    private var size = 0
    private var sizeToReplace = StateFile.smallestReplaced

    /// Takes the file for this process alone, makes it if it is missing, and makes the store what
    /// it holds.
    ///
    /// - Throws: ``CommandError`` that names the file: it cannot be opened, is another process's,
    ///   or is no state.
    init(_ path: String, for store: Store) throws {
        self.path = path
        self.store = store
        do {
            file = try FileDescriptor.open(
                FilePath(path),
                .readWrite,
                options: [.create, .closeOnExec],
                permissions: [.ownerReadWrite]
            )
        } catch {
            throw CommandError("cannot open \(path): \(error)")
        }
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0, Self.isNamed(path, file) else {
            throw CommandError("another process uses \(path)")
        }
        let bytes = try readAll(file, named: path)
        isNew = bytes.isEmpty
        guard !isNew else { return }
        guard bytes.starts(with: Self.header) else { throw CommandError("\(path) is no state") }
        size = try load(bytes)
        if size < bytes.count { try cut(bytes.count - size) }
        sizeToReplace = max(Self.smallestReplaced, size * Self.growthFactor)
    }

    /// Begins to keep the store, after it was filled if the file is new.
    ///
    /// - Throws: ``CommandError``.
    func start() throws {
        if isNew, let error = replace() { throw error }
        store.isRecording = true
    }

    /// Writes and syncs what has changed.
    ///
    /// - Returns: false where that failed, then and at every later call; ``failure`` says why.
    func save() -> Bool {
        guard failure == nil else { return false }
        guard store.hasUnrecordedChanges else { return true }
        do {
            let frame = Self.frame(store.takeRecord())
            try file.writeAll(frame)
            try Self.sync(file)
            size += frame.count
        } catch {
            failure = CommandError("cannot write \(path): \(error)")
            return false
        }
        // The log is as good as the snapshot: where that does not succeed, it just grows on.
        if size > sizeToReplace, replace() != nil { sizeToReplace *= 2 }
        return failure == nil
    }

    /// Writes a snapshot beside the file and puts it in its place.
    private func replace() -> CommandError? {
        let other = path + ".new"
        do {
            let snapshot = try FileDescriptor.open(
                FilePath(other),
                .writeOnly,
                options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite]
            )
            do {
                let written = try writeSnapshot(to: snapshot)
                // The lock is there before the name, so that nobody else can take the file.
                guard flock(snapshot.rawValue, LOCK_EX | LOCK_NB) == 0 else { throw Errno.last }
                guard rename(other, path) == 0 else { throw Errno.last }
                try? file.close()
                file = snapshot
                size = written
                sizeToReplace = max(Self.smallestReplaced, size * Self.growthFactor)
            } catch {
                try? snapshot.close()
                unlink(other)
                throw error
            }
        } catch {
            return CommandError("cannot write \(other): \(error)")
        }
        do {
            try syncDirectory()
        } catch {
            // The snapshot has the name, but a machine that dies may find the log instead: what
            // goes to the snapshot from now on could not be acknowledged.
            failure = CommandError("cannot sync the directory of \(path): \(error)")
        }
        return failure
    }

    private func writeSnapshot(to snapshot: FileDescriptor) throws -> Int {
        var written = try snapshot.writeAll(Self.header)
        try store.forEachSnapshotRecord { record in
            written += try snapshot.writeAll(Self.frame(record))
        }
        try Self.sync(snapshot)
        return written
    }

    // MARK: Reading

    /// - Returns: how many of the bytes are whole records.
    private func load(_ bytes: [UInt8]) throws -> Int {
        var start = Self.header.count
        while bytes.count - start >= Self.frameHeaderSize {
            let begin = start + Self.frameHeaderSize
            let length = Self.number(bytes, at: start)
            guard bytes.count - begin >= length else { return start }
            let record = bytes[begin..<(begin + length)]
            guard Int(Checksum.of(record)) == Self.number(bytes, at: start + 4) else {
                return start
            }
            do {
                try store.replay(record)
            } catch {
                throw CommandError("\(path) does not make sense from byte \(start) on")
            }
            start = begin + length
        }
        return start
    }

    /// Cuts off what was being written when a process or a machine died.
    private func cut(_ count: Int) throws {
        guard ftruncate(file.rawValue, off_t(size)) == 0,
            lseek(file.rawValue, 0, SEEK_END) == off_t(size)
        else { throw CommandError("cannot cut \(path): \(Errno.last)") }
        let text = "xsfs: \(path): left out \(count) bytes at the end, which are no whole record\n"
        // Where standard error is closed there is nowhere left to say so.
        _ = try? FileDescriptor.standardError.writeAll(text.utf8)
    }

    private static func number(_ bytes: [UInt8], at start: Int) -> Int {
        bytes[start..<(start + 4)].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    // MARK: Writing

    private static func frame(_ record: [UInt8]) -> [UInt8] {
        var frame: [UInt8] = []
        frame.reserveCapacity(frameHeaderSize + record.count)
        for number in [UInt32(record.count), Checksum.of(record)] {
            withUnsafeBytes(of: number.littleEndian) { frame.append(contentsOf: $0) }
        }
        frame.append(contentsOf: record)
        return frame
    }

    private static func sync(_ file: FileDescriptor) throws {
        guard fdatasync(file.rawValue) == 0 else { throw Errno.last }
    }

    /// A new name is on the disk when its directory is.
    private func syncDirectory() throws {
        let parent = FilePath(path).removingLastComponent()
        let directory = try FileDescriptor.open(parent.isEmpty ? "." : parent, .readOnly)
        try directory.closeAfter {
            guard fsync(directory.rawValue) == 0 else { throw Errno.last }
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
}

extension Errno {
    fileprivate static var last: Errno { Errno(rawValue: errno) }
}
