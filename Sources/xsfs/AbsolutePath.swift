import Glibc
import SystemPackage

/// Makes a path absolute, for a daemon that leaves the directory it was started in. What is there
/// is not asked: it may be a dead mount.
///
/// - Throws: ``CommandError`` where there is no working directory.
func absolutePath(_ given: String) throws -> String {
    guard !given.hasPrefix("/") else { return given }
    guard let directory = getcwd(nil, 0) else {
        throw CommandError("cannot tell the working directory: \(Errno(rawValue: errno))")
    }
    defer { free(directory) }
    return String(cString: directory) + "/" + given
}

/// Where a path leads: absolute, without symbolic links, `.` and `..`.
///
/// - Throws: the error of realpath(3).
func realPath(_ path: String) throws(Errno) -> String {
    guard let resolved = realpath(path, nil) else { throw Errno(rawValue: errno) }
    defer { free(resolved) }
    return String(cString: resolved)
}

/// A path without `.`, `..` and doubled slashes, by its words alone.
func plainPath(_ absolute: String) -> String {
    var names: [Substring] = []
    for name in absolute.split(separator: "/") where name != "." {
        if name == ".." { _ = names.popLast() } else { names.append(name) }
    }
    return "/" + names.joined(separator: "/")
}
