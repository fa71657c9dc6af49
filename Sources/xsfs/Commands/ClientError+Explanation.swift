import XenstoreClient
import XenstoreProtocol

extension ClientError {
    /// What could not be done and why, as one line for who called a command.
    var explanation: String {
        let subject = path.map { "\(attempt) \($0)" } ?? attempt
        if case .refused(let code) = reason, let meaning = code.meaning {
            return "cannot \(subject): \(meaning) (\(code.name))"
        }
        return "cannot \(subject): \(reason)"
    }

    private var attempt: String {
        switch operation {
        case .read: "read"
        case .write: "write"
        case .directory, .directoryPart: "list"
        case .makeDirectory: "make"
        case .remove: "remove"
        case .getPermissions: "get the permissions of"
        case .setPermissions: "set the permissions of"
        case .watch: "watch"
        case .transactionStart: "start a transaction"
        case .transactionEnd: "commit the transaction"
        case .control: "control the store"
        default: "ask the store"
        }
    }
}

extension StoreErrorCode {
    /// What a name of the protocol says; nil for names that say no more than they do.
    fileprivate var meaning: String? {
        switch self {
        case .noEntry: "no such key"
        case .accessDenied, .notPermitted: "permission denied"
        case .noSpace, .quota: "over a quota of the domain"
        case .invalid: "the store does not take this"
        case .tooBig: "too large"
        case .notImplemented: "the store does not know how"
        case .busy: "busy"
        case .readOnly: "read-only"
        default: nil
        }
    }
}
