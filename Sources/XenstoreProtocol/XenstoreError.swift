/// Why a request did not do what it was to do.
public enum XenstoreError: Error, Hashable, Sendable {
    /// The store's own answer; nothing was changed.
    case refused(StoreErrorCode)
    /// The request does not fit one message; nothing was sent.
    case tooLarge
    /// Too many requests are on their way; nothing was sent.
    case tooMany
    /// There is no connection, or it broke before the answer came. A request that was on its way
    /// may or may not have been carried out.
    case disconnected
    /// The store did not answer in time, and the connection was given up.
    case timedOut
    /// The caller stopped waiting. The request may still be carried out.
    case cancelled
    /// The answer is not of the form that the protocol gives it.
    case malformedReply
}

extension XenstoreError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .refused(let code): "the store refused: \(code)"
        case .tooLarge: "the request does not fit one message"
        case .tooMany: "too many requests are on their way"
        case .disconnected: "not connected to the store"
        case .timedOut: "the store did not answer in time"
        case .cancelled: "cancelled"
        case .malformedReply: "the store's answer is malformed"
        }
    }
}
