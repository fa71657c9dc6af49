public import XenstoreFilesystem
public import XenstoreProtocol

/// What stat(2) tells, as far as scenarios look at it.
public struct Status: Hashable, Sendable {
    public var kind: FileKind
    public var size: Int
    public var mode: UInt32
    public var userID: UInt32

    public init(kind: FileKind, size: Int, mode: UInt32, userID: UInt32) {
        self.kind = kind
        self.size = size
        self.mode = mode
        self.userID = userID
    }
}

/// When a file changed, in nanoseconds since the epoch, and which file it is: as stat(2) shows it.
public struct Times: Hashable, Sendable {
    public var inode: UInt64
    /// st_mtime.
    public var modified: Int
    /// st_ctime.
    public var changed: Int

    public init(inode: UInt64, modified: Int, changed: Int) {
        self.inode = inode
        self.modified = modified
        self.changed = changed
    }
}

/// A filesystem over a store, as a program sees it: the one in this process, or a mount.
///
/// Paths begin with a slash and are relative to the mount. Every call throws the error that the
/// system call fails with.
public protocol Surface {
    /// The store itself, as another client sees and changes it.
    var store: any XenstoreAccess { get }
    /// Whether a file that is open for reading alone may show the value as it is by now, and not as
    /// it was at open(2).
    var mayShowNewest: Bool { get }
    /// Whether the filesystem gets the events of what others change.
    var hasEvents: Bool { get }

    func read(_ path: String) async throws -> [UInt8]
    /// open(O_WRONLY | O_CREAT | O_TRUNC), one write(2) unless empty, close.
    func write(_ bytes: [UInt8], to path: String) async throws
    /// open(O_WRONLY | O_CREAT | O_APPEND), one write(2), close.
    func append(_ bytes: [UInt8], to path: String) async throws
    /// open(O_WRONLY | O_CREAT | O_EXCL), close.
    func createExclusively(_ path: String) async throws
    /// As mkstemp(3): open(O_RDWR | O_CREAT | O_EXCL) with mode 0600, one write(2), close.
    func makeTemporary(_ bytes: [UInt8], at path: String) async throws
    func truncate(_ path: String, to size: Int) async throws
    /// open(2), with O_CREAT where `creating`; a directory is EISDIR.
    func open(_ path: String, _ flags: OpenFlags, creating: Bool) async throws -> any SurfaceFile
    func status(_ path: String) async throws -> Status
    func times(_ path: String) async throws -> Times
    /// utimensat(2) of st_mtime.
    func setModified(_ time: Timestamp, of path: String) async throws
    /// The names but `.` and `..`, in the listing's order, with what it says they are.
    func list(_ path: String) async throws -> [(name: String, kind: FileKind)]
    func makeDirectory(_ path: String) async throws
    func removeDirectory(_ path: String) async throws
    func unlink(_ path: String) async throws
    func rename(_ path: String, to newPath: String, _ mode: RenameMode) async throws
    func setMode(_ mode: UInt32, of path: String) async throws
    func setOwner(_ userID: UInt32, of path: String) async throws
    func setGroup(_ groupID: UInt32, of path: String) async throws
    func attribute(_ name: String, of path: String) async throws -> [UInt8]
    func setAttribute(_ name: String, to value: [UInt8], of path: String) async throws
    func removeAttribute(_ name: String, of path: String) async throws
}

extension Surface {
    public var mayShowNewest: Bool { false }
    public var hasEvents: Bool { true }
}

/// An open file of a surface.
public protocol SurfaceFile {
    /// All of it.
    func read() async throws -> [UInt8]
    /// pwrite(2).
    func write(_ bytes: [UInt8], at offset: Int) async throws
    func truncate(to size: Int) async throws
    /// fstat(2).
    func size() async throws -> Int
    /// lseek(2) to the end.
    func end() async throws -> Int
    func close() async throws
}

extension Surface {
    /// The names of a listing, sorted: stores differ in their order.
    public func names(_ path: String) async throws -> [String] {
        try await list(path).map(\.name).sorted()
    }

    /// Reads a file as text.
    public func text(_ path: String) async throws -> String {
        String(decoding: try await read(path), as: UTF8.self)
    }

    /// Writes a file as text.
    public func write(_ text: String, to path: String) async throws {
        try await write(Array(text.utf8), to: path)
    }

    /// Appends text to a file.
    public func append(_ text: String, to path: String) async throws {
        try await append(Array(text.utf8), to: path)
    }

    /// The value of a key in the store, as text; nil where there is no key.
    public func value(_ path: String) async throws -> String? {
        do throws(XenstoreError) {
            return String(decoding: try await store.read(key(path)), as: UTF8.self)
        } catch .refused(.noEntry) {
            return nil
        }
    }

    /// Sets the value of a key as another client.
    public func put(_ value: String, at path: String) async throws {
        try await store.write(Array(value.utf8), to: key(path))
    }

    /// The permissions of a key in the store, `n0,r5`.
    public func permissions(_ path: String) async throws -> String {
        try await store.permissions(of: key(path)).description
    }

    /// The path of a key that a scenario spells right.
    public func key(_ path: String) -> XenstorePath {
        guard let key = try? XenstorePath(path) else {
            preconditionFailure("a scenario names an illegal key: \(path)")
        }
        return key
    }
}

extension Result where Failure == any Error {
    init(catching body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
