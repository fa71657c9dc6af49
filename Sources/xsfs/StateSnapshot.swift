import Glibc
import Reactor
import SystemPackage
import XenstoreStore

/// A snapshot of a store that is being written beside its state file, a piece at a time: nobody
/// waits for all of it. It begins with the store as it was, and then has the records of what has
/// changed meanwhile.
final class StateSnapshot {
    let file: FileDescriptor
    let form = StateForm()
    private(set) var size = 0
    /// Where the snapshot itself ends; nil before.
    private(set) var end: Int?
    private let name: String
    private var source: StoreSnapshot
    /// Records that are still to be written.
    private var missed: [[UInt8]] = []

    /// Makes the file. What has its name is taken away: it is what a process left that died.
    ///
    /// - Throws: the error of open(2) or write(2).
    init(of store: Store, named name: String) throws {
        self.name = name
        source = store.snapshot()
        _ = unlink(name)
        // A link that somebody has put there meanwhile is not followed.
        file = try FileDescriptor.open(
            FilePath(name),
            .writeOnly,
            options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
            permissions: [.ownerReadWrite]
        )
        do {
            size = try file.writeAll(form.header)
        } catch {
            abandon()
            throw error
        }
    }

    /// Takes the file away.
    func abandon() {
        file.closeIgnoringErrors()
        _ = unlink(name)
    }

    /// Notes a record of a change since the beginning.
    func add(_ record: [UInt8]) {
        missed.append(record)
    }

    /// Writes and syncs a piece, of so many bytes or a record more.
    ///
    /// - Returns: whether all is on the disk that there is to write.
    func goOn(_ count: Int) throws -> Bool {
        let limit = size + count
        while size < limit {
            if end == nil {
                if let record = source.next() {
                    try write(record)
                } else {
                    try write(StateForm.snapshotEnd)
                    end = size
                }
            } else if missed.isEmpty {
                break
            } else {
                try write(missed.removeFirst())
            }
        }
        guard fdatasync(file.rawValue) == 0 else { throw Errno.current }
        return end != nil && missed.isEmpty
    }

    private func write(_ record: [UInt8]) throws {
        for frame in form.frames(record, at: size) {
            size += try file.writeAll(frame)
        }
    }

    /// Takes the place of the state file.
    ///
    /// - Throws: the error of flock(2) or rename(2).
    func rename(to path: String) throws {
        // The lock is there before the name, so that nobody else can take the file.
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else { throw Errno.current }
        guard Glibc.rename(name, path) == 0 else { throw Errno.current }
    }
}
