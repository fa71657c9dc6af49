import Glibc

/// Where a store is reached.
public enum StoreAddress: Hashable, Sendable, CustomStringConvertible {
    /// The unix socket of a daemon in the same domain.
    case socket(String)
    /// The kernel's device for the store of the host or of another domain.
    case device(String)

    public var path: String {
        switch self {
        case .socket(let path), .device(let path): path
        }
    }

    public var description: String {
        switch self {
        case .socket(let path): "socket \(path)"
        case .device(let path): "device \(path)"
        }
    }

    /// The places where libxenstore looks, in its order.
    public static let standardPlaces: [StoreAddress] = [
        .socket("/run/xenstored/socket"),
        .device("/dev/xen/xenbus"),
        .device("/proc/xen/xenbus"),
    ]

    /// Finds the store where libxenstore looks: what `$XENSTORED_PATH` names, or else the first of
    /// ``standardPlaces`` that exists; nil where none does.
    public static func find() -> StoreAddress? {
        if let value = getenv("XENSTORED_PATH"), value.pointee != 0 {
            return named(String(cString: value))
        }
        return standardPlaces.first { access($0.path, F_OK) == 0 }
    }

    /// The store at a path: a device, unless there is a socket.
    private static func named(_ path: String) -> StoreAddress {
        var status = stat()
        let isSocket = stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
        return isSocket ? .socket(path) : .device(path)
    }
}
