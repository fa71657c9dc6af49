public import XenstoreProtocol

/// Why an operation of a ``Xenstore`` failed: which operation, on what path, and for what
/// reason.
public struct ClientError: Error, Hashable, Sendable {
    /// What went wrong.
    public enum Reason: Hashable, Sendable {
        /// The store's own answer; nothing was changed. A name that is not known is kept in it.
        case refused(StoreErrorCode)
        /// The transaction met changes of others, or was lost with its connection, as often as it
        /// was tried. Nothing was changed.
        case conflict(attempts: Int)
        /// The path is none that a store can have; nothing was sent.
        case invalidPath(PathError)
        /// An argument that the protocol cannot carry; nothing was sent.
        case invalidArgument(String)
        /// The value is not UTF-8.
        case notText
        /// The value is not an integer that fits the type.
        case notANumber
        /// The request does not fit one message; nothing was sent.
        case tooLarge
        /// Too many requests are on their way; nothing was sent.
        case tooMany
        /// There is no connection, or it broke before the answer came. What was to be changed may
        /// or may not have been.
        case disconnected
        /// No answer came in time. What was to be changed may or may not have been.
        case timedOut
        /// The caller stopped waiting. What was to be changed may or may not have been.
        case cancelled
        /// The answer is not of the form that the protocol gives it.
        case malformedReply
    }

    /// The operation of the protocol.
    public let operation: MessageType
    /// The path as it was given; nil for operations without one.
    public let path: String?
    public let reason: Reason

    public init(_ operation: MessageType, path: String? = nil, _ reason: Reason) {
        self.operation = operation
        self.path = path
        self.reason = reason
    }

    /// The store's own answer, if that is the reason.
    public var code: StoreErrorCode? {
        if case .refused(let code) = reason { code } else { nil }
    }

    /// Whether a transaction met changes of others or was lost, so that it is worth trying again:
    /// see `TransactionFailure`.
    public var isConflict: Bool {
        switch reason {
        case .conflict: true
        case .refused(let code): TransactionFailure(code, of: operation, path: path) != nil
        default: false
        }
    }

    /// Whether the store does not have the operation (ENOSYS).
    public var isUnsupported: Bool { code == .notImplemented }

    init(_ request: Request, _ error: XenstoreError) {
        let reason: Reason =
            switch error {
            case .refused(let code): .refused(code)
            case .tooLarge: .tooLarge
            case .tooMany: .tooMany
            case .disconnected: .disconnected
            case .timedOut: .timedOut
            case .cancelled: .cancelled
            case .malformedReply: .malformedReply
            }
        self.init(request.type, path: request.path?.text, reason)
    }
}

extension ClientError: CustomStringConvertible {
    /// The operation, the path and the reason in one line: `READ /local/domain/1/name: ENOENT`.
    public var description: String {
        let subject = path.map { "\(operation.name) \($0)" } ?? operation.name
        return "\(subject): \(reason)"
    }
}

extension ClientError.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .refused(let code): "\(code)"
        case .conflict(let attempts): "changes of others got in the way, \(attempts) times"
        case .invalidPath(let error): "not a path of a store: \(error)"
        case .invalidArgument(let what): what
        case .notText: "the value is not UTF-8"
        case .notANumber: "the value is not an integer of this type"
        case .tooLarge: "the request does not fit one message"
        case .tooMany: "too many requests are on their way"
        case .disconnected: "not connected to the store"
        case .timedOut: "the store did not answer in time"
        case .cancelled: "cancelled"
        case .malformedReply: "the store's answer is malformed"
        }
    }
}

extension Request {
    /// Whether it may be sent a second time if nobody knows whether the first was carried out.
    var isRepeatable: Bool {
        // A connection that comes back has no watches.
        if case .watch = self { return true }
        return isReadOnly
    }
}
