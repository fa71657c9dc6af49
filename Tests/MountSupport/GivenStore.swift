import Glibc
import Testing

/// A store that runs already: that of a real host, in the machine of `Tests/Machine`.
///
/// `XSFS_TEST_STORE` is its kind and its place, `xenstored:/dev/xen/xenbus`. The tests of stores
/// then have this one alone, one after the other.
public struct GivenStore: Sendable {
    public let kind: StoreKind
    /// A socket, or the kernel's device.
    public let path: String

    public static var isThere: Bool { current != nil }

    /// Whether it is reached by the kernel's device.
    public static var isDevice: Bool { current.map { MountSupport.isDevice($0.path) } ?? false }

    public static let current: GivenStore? = {
        guard let value = getenv("XSFS_TEST_STORE") else { return nil }
        let parts = String(cString: value).split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2, let kind = StoreKind(rawValue: parts[0]) else {
            preconditionFailure("XSFS_TEST_STORE is KIND:PATH")
        }
        return GivenStore(kind: kind, path: parts[1])
    }()

    /// Takes away what an earlier test has left, of what the host itself does not need.
    func clear(in shell: Shell) async throws {
        try await shell.adding(["XENSTORED_PATH": path]).expect(
            """
            xenstore-list / | while read -r key; do
                case $key in
                    tool | local | vm | libxl | @*) ;;
                    *) xenstore-rm "/$key" ;;
                esac
            done
            """
        )
    }
}

/// Whether there is a character device at this path.
public func isDevice(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFCHR
}
