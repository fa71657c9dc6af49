/// Why the kernel is to forget something. The raw values are what the log says.
public enum InvalidationReason: String, Sendable {
    case changed = "the store has sent an event for it"
    case released = "a domain is gone, and its keys may be"
    case reconnected = "the connection was lost meanwhile"
    case removed = "the store does not have it"
    case removedAbove = "what is above it was removed"
    case otherShape = "it has the other shape"
    case renamed = "it has another name"
    case failedCreation = "it could not be made"
    case failedCommit = "its commit has failed"
    case ownChange = "this mount has changed it"
}
