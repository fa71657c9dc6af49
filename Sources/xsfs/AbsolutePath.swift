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
