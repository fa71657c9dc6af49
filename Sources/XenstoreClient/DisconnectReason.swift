public import SystemPackage
public import XenstoreProtocol

/// Why a connection ended.
public enum DisconnectReason: Hashable, Sendable {
    /// Its user closed it.
    case closed
    /// The store closed it.
    case endOfStream
    /// The channel failed.
    case failed(Errno)
    /// The store sent what it must not.
    case violation(ProtocolViolation)
    /// The store was silent for too long.
    case stalled
}

extension DisconnectReason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .closed: "closed"
        case .endOfStream: "the store closed the connection"
        case .failed(let error): "the connection failed: \(error)"
        case .violation(let violation): "the store broke the protocol: \(violation)"
        case .stalled: "the store did not answer in time"
        }
    }
}
