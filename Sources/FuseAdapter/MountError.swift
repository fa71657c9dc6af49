/// Why a mount was not made.
public enum MountError: Error, Hashable, Sendable, CustomStringConvertible {
    case refusedOptions(String)
    case mountFailed(String)

    public var description: String {
        switch self {
        case .refusedOptions(let options): "libfuse refuses the mount options \(options)"
        case .mountFailed(let mountpoint): "cannot mount at \(mountpoint)"
        }
    }
}
