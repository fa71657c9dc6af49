/// The name of an error in a reply, as `xs_wire.h` lists them.
///
/// The protocol sends names, not numbers. A server may send one that the list does not have, so
/// unknown names are kept.
public enum StoreErrorCode: Error, Hashable, Sendable, CustomStringConvertible {
    case invalid
    case accessDenied
    case exists
    case isDirectory
    case noEntry
    case noMemory
    case noSpace
    case ioError
    case notEmpty
    case notImplemented
    case readOnly
    case busy
    case again
    case isConnected
    case tooBig
    case notPermitted
    /// Sent by oxenstored where a domain exceeds its quota; not in `xs_wire.h`.
    case quota
    case other(String)

    private static let known: [(name: String, code: StoreErrorCode)] = [
        ("EINVAL", .invalid),
        ("EACCES", .accessDenied),
        ("EEXIST", .exists),
        ("EISDIR", .isDirectory),
        ("ENOENT", .noEntry),
        ("ENOMEM", .noMemory),
        ("ENOSPC", .noSpace),
        ("EIO", .ioError),
        ("ENOTEMPTY", .notEmpty),
        ("ENOSYS", .notImplemented),
        ("EROFS", .readOnly),
        ("EBUSY", .busy),
        ("EAGAIN", .again),
        ("EISCONN", .isConnected),
        ("E2BIG", .tooBig),
        ("EPERM", .notPermitted),
        ("EQUOTA", .quota),
    ]

    /// Takes the name of an error as it came, without its NUL.
    public init(name: String) {
        self = Self.known.first { $0.name == name }?.code ?? .other(name)
    }

    /// The name that goes over the wire.
    public var name: String {
        if case .other(let name) = self { return name }
        return Self.known.first { $0.code == self }?.name ?? "EINVAL"
    }

    public var description: String { name }
}
