public import XenstoreProtocol
public import XenstoreStore

/// One client's side of a connection to some store: a store in the process, or any daemon.
public protocol Conversation: AnyObject {
    /// Sends one message.
    func send(_ message: Message) throws

    /// The next message that comes; nil where the connection has ended, or nothing comes in time.
    func receive() throws -> Message?
}

/// A conversation with a store in the process.
public final class StoreConversation: Conversation {
    private let host: StoreHost
    private let inbox = Inbox()
    private let id: ConnectionID

    public init(host: StoreHost, as domain: DomainID = .privileged) {
        self.host = host
        id = host.attach(as: domain) { [inbox] delivery in
            switch delivery {
            case .message(let message): inbox.messages.append(message)
            case .events(let batch): inbox.messages += batch.messages
            case .closed: break
            }
        }
    }

    deinit { host.detach(id) }

    public func send(_ message: Message) { host.receive(message, from: id) }

    public func receive() -> Message? {
        inbox.messages.isEmpty ? nil : inbox.messages.removeFirst()
    }

    private final class Inbox {
        var messages: [Message] = []
    }
}
