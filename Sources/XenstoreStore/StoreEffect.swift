public import XenstoreProtocol

/// What the owner of the connections is to do, in order, after a store has handled a message.
public enum StoreEffect: Hashable, Sendable {
    /// Deliver a reply or an event.
    case send(Message, to: ConnectionID)
    /// Deliver many events.
    case events(EventBatch, to: ConnectionID)
    /// End a connection: its domain was released. The store has forgotten it already.
    case close(ConnectionID)
}
