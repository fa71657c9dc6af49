public import XenstoreProtocol
public import XenstoreStore

/// A store with clients that see it as over a wire: each request gets one reply, and events queue.
public final class StoreClients {
    public let store: Store
    private var events: [ConnectionID: [WatchEvent]] = [:]
    /// The connections that the store closed.
    public private(set) var closed: [ConnectionID] = []

    public init(_ store: Store = Store()) {
        self.store = store
    }

    public func client(as domain: DomainID = .privileged) -> StoreClient {
        StoreClient(clients: self, id: store.connect(as: domain))
    }

    fileprivate func perform(_ message: Message, from id: ConnectionID) -> Message? {
        var reply: Message?
        for effect in store.handle(message, from: id) {
            switch effect {
            case .send(let message, let receiver) where message.type == .watchEvent:
                note(message, receiver)
            case .events(let batch, let receiver):
                for message in batch.messages { note(message, receiver) }
            case .send(let message, _):
                reply = message
            case .close(let connection):
                closed.append(connection)
            }
        }
        return reply
    }

    private func note(_ message: Message, _ receiver: ConnectionID) {
        guard let event = WatchEvent(payload: message.payload) else { return }
        events[receiver, default: []].append(event)
    }

    fileprivate func takeEvents(of id: ConnectionID) -> [WatchEvent] {
        events.removeValue(forKey: id) ?? []
    }
}

/// One client of ``StoreClients``. Results are texts, so that expectations read like transcripts:
/// the payload, with `|` for each NUL, or the name of the error.
public struct StoreClient {
    fileprivate let clients: StoreClients
    public let id: ConnectionID

    /// The store behind it.
    public var store: Store { clients.store }

    /// Sends a raw message and returns the reply.
    public func send(_ message: Message) -> Message? { clients.perform(message, from: id) }

    /// Sends a request and returns the reply's payload as text.
    @discardableResult
    public func callAsFunction(_ request: Request, in transaction: UInt32 = 0) -> String {
        let message = Message(
            request.type,
            requestID: RequestID(7),
            transactionID: TransactionID(transaction),
            payload: request.payload
        )
        guard let reply = send(message) else { return "no reply" }
        guard reply.requestID == RequestID(7), reply.transactionID.rawValue == transaction else {
            return "a reply with another header"
        }
        let text = String(decoding: reply.payload.map { $0 == 0 ? 0x7C : $0 }, as: UTF8.self)
        return reply.type == .error ? String(text.dropLast()) : text
    }

    /// Starts a transaction and returns its number; zero if that failed.
    public func begin() -> UInt32 { UInt32(self(.transactionStart).dropLast()) ?? 0 }

    /// The events since the last call, as `path token`.
    public func events() -> [String] {
        clients.takeEvents(of: id).map {
            "\($0.path) " + String(decoding: $0.token, as: UTF8.self)
        }
    }

    public func disconnect() { clients.store.disconnect(id) }
}

extension XenstorePath: ExpressibleByStringLiteral {
    /// Takes a path that stands in a test, where an illegal one is the test's fault.
    public init(stringLiteral text: String) {
        do throws(PathError) {
            try self.init(text)
        } catch {
            preconditionFailure("\(text) is no path: \(error)")
        }
    }
}

extension Request {
    /// WRITE of a text.
    public static func write(_ path: XenstorePath, _ text: String) -> Request {
        .write(path, value: Array(text.utf8))
    }

    /// WATCH with a text for its token.
    public static func watch(_ path: XenstorePath, _ token: String, depth: UInt32? = nil)
        -> Request
    {
        .watch(path, token: Array(token.utf8), depth: depth)
    }

    /// UNWATCH with a text for its token.
    public static func unwatch(_ path: XenstorePath, _ token: String) -> Request {
        .unwatch(path, token: Array(token.utf8))
    }

    /// SET_PERMS with permissions in their text form, `n0,r1`.
    public static func setPermissions(_ path: XenstorePath, _ text: String) -> Request {
        guard let permissions = Permissions(text: Array(text.utf8)) else {
            preconditionFailure("\(text) are no permissions")
        }
        return .setPermissions(path, permissions)
    }
}
