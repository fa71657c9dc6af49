public import XenstoreProtocol

/// Routes what a store causes to whoever holds a connection to it: sessions of sockets and users in
/// the same process alike.
///
/// Like the store it belongs to one thread. A sink may send further requests from inside its call:
/// what they cause is delivered after what is being delivered, so that each connection gets its
/// messages in the order in which the store made them.
public final class StoreHost {
    /// What a connection is told.
    public enum Delivery {
        /// A reply, or an event.
        case message(Message)
        /// Many events at once.
        case events(EventBatch)
        /// The store has ended the connection; nothing follows.
        case closed
    }

    /// The store behind it, for counting and for filling it. Messages go through the host.
    public let store: Store

    /// Makes what has changed durable, before anything is told of it: whoever sends replies and
    /// events on calls ``persist()`` first. False where that failed: then nothing may be sent.
    public var save: (() -> Bool)?

    private var sinks: [ConnectionID: (Delivery) -> Void] = [:]
    private var undelivered: [StoreEffect] = []
    private var isDelivering = false

    public init(store: Store) {
        self.store = store
    }

    /// Opens a connection with the rights of a domain. `sink` is called with all that comes for it,
    /// on the thread that made it come.
    public func attach(
        as domain: DomainID,
        sink: @escaping (Delivery) -> Void
    ) -> ConnectionID {
        let id = store.connect(as: domain)
        sinks[id] = sink
        return id
    }

    /// Ends a connection, its watches and its transactions. Its sink is not called any more.
    public func detach(_ id: ConnectionID) {
        sinks[id] = nil
        store.disconnect(id)
    }

    /// Whether changes wait to be made durable.
    public var hasUnsavedChanges: Bool { store.hasJournal }

    /// Makes all changes durable, where somebody takes care of that.
    ///
    /// - Returns: whether what they caused may be told.
    public func persist() -> Bool { save?() ?? true }

    /// Whether a connection is there: attached, and ended neither by its holder nor by the store.
    public func isAttached(_ id: ConnectionID) -> Bool { sinks[id] != nil }

    /// How many answers a connection may leave untaken before it is not listened to: the quota
    /// `outstanding` of its domain. Nil for no limit.
    public func outstandingLimit(of domain: DomainID) -> Int? {
        store.outstandingLimit(of: domain)
    }

    /// Counts answers that wait for a domain, or no longer do where negative.
    public func countOutstanding(_ difference: Int, of domain: DomainID) {
        store.countOutstanding(difference, of: domain)
    }

    /// Counts bytes that wait for a domain towards its quota `memory`, or no longer do where
    /// negative.
    public func countWaiting(_ difference: Int, of domain: DomainID) {
        store.countWaiting(difference, of: domain)
    }

    /// Whether an unprivileged domain takes all that its quota `memory` allows, with what waits for
    /// it.
    public func isMemoryTaken(by domain: DomainID) -> Bool {
        store.isMemoryTaken(by: domain)
    }

    /// Handles a message of a connection; the reply and the events go to the sinks.
    public func receive(_ message: Message, from id: ConnectionID) {
        store.handle(message, from: id, into: &undelivered)
        deliver()
    }

    /// Handles a message and returns its reply instead of giving it to the sink; the events go
    /// to the sinks.
    ///
    /// - Returns: nil for a connection that has ended.
    public func answer(_ message: Message, from id: ConnectionID) -> Message? {
        let start = undelivered.count
        store.handle(message, from: id, into: &undelivered)
        var reply: Message?
        let index = undelivered[start...].firstIndex { effect in
            guard case .send(let message, id) = effect else { return false }
            return message.type != .watchEvent
        }
        if let index, case .send(let message, _) = undelivered.remove(at: index) {
            reply = message
        }
        deliver()
        return reply
    }

    private func deliver() {
        guard !isDelivering else { return }
        isDelivering = true
        var next = 0
        // Sinks may append while this runs.
        while next < undelivered.count {
            switch undelivered[next] {
            case .send(let message, let id): sinks[id]?(.message(message))
            case .events(let batch, let id): sinks[id]?(.events(batch))
            case .close(let id): sinks.removeValue(forKey: id)?(.closed)
            }
            next += 1
        }
        undelivered.removeAll(keepingCapacity: true)
        isDelivering = false
    }
}
