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
}
