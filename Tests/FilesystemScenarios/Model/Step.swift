import XenstoreFilesystem

/// One thing that happens to a mount, by a program on it or by another client of its store.
///
/// Paths are relative to the directory of the run. A step stands for itself: any of a list can be
/// left out, and what is left still means something.
enum Step: Hashable, Sendable {
    case makeDirectory(String)
    /// open(O_CREAT | O_EXCL), close.
    case create(String)
    /// open(O_CREAT | O_TRUNC), write unless empty, close.
    case write(String, Bytes)
    case append(String, Bytes)
    case truncate(String, Int)
    /// mkstemp(3), write, close.
    case makeTemporary(String, Bytes)
    case unlink(String)
    case removeDirectory(String)
    case rename(String, String, RenameMode)
    case setMode(String, UInt32)
    case setOwner(String, UInt32)
    /// chgrp(1).
    case setGroup(String, UInt32)
    case setPermissions(String, String)
    /// setfacl(1) of a whole list, and without one.
    case setAccessList(String, AccessListText)
    case removeAccessList(String)
    case setValue(String, Bytes)

    case read(String)
    case status(String)
    case list(String)
    case permissions(String)
    case accessList(String)
    case value(String)

    /// Opens a file in one of ``slots``, if it is free.
    case open(Int, String, OpenFlags, creating: Bool)
    case writeOpen(Int, Bytes, offset: Int)
    case readOpen(Int)
    case truncateOpen(Int, Int)
    case close(Int)

    /// Changes of another client, between which the mount is not looked at.
    case others([Change])
    /// Compares everything.
    case lookAtAll

    /// Files that may be open at a time.
    static let slots = 3
}

/// What another client does.
enum Change: Hashable, Sendable {
    case put(String, Bytes)
    case remove(String)
    case setPermissions(String, String)

    var path: String {
        switch self {
        case .put(let path, _), .remove(let path), .setPermissions(let path, _): path
        }
    }
}

/// Bytes that a failing test can print.
struct Bytes: Hashable, Sendable, CustomStringConvertible {
    var bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var description: String {
        guard bytes.count > 64 else {
            return String(decoding: bytes, as: UTF8.self).debugDescription
        }
        return "\(bytes.count) times \(bytes[0])"
    }
}
