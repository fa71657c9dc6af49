import Glibc
import TestSupport
import XenstoreProtocol

/// A store that does what a test says: it listens on a unix socket, and a thread of its own calls
/// the script for each connection, one after the other, and closes it when the script returns.
/// ``end()`` ends it.
final class FakeStore: Sendable {
    struct NotStarted: Error {}

    typealias Script = @Sendable (_ peer: Peer) throws -> Void

    let path: String
    private let listener: Int32
    private let script: Script

    /// - Parameter backlog: connections that may wait while a script runs, and one more.
    init(backlog: Int32 = 16, _ script: @escaping Script) throws {
        path = temporarySocketPath()
        self.script = script
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0, listen(listener, backlog) == 0 else { throw NotStarted() }
        try startThread { [listener, script] in
            var number = 0
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { break }
                let conversation = SocketConversation(descriptor: descriptor)
                // A script ends early where the client has left.
                try? script(Peer(number: number, conversation: conversation))
                number += 1
            }
            close(listener)
        }
    }

    /// Takes the socket away. Not at this value's end, which may come as soon as the path is known.
    func end() {
        unlink(path)
        // Ends accept(2).
        shutdown(listener, Int32(SHUT_RDWR))
    }
}

/// The store's side of one connection.
struct Peer {
    struct Left: Error {}

    /// Counts the connections from 0 on.
    let number: Int
    let conversation: SocketConversation

    /// The next request.
    ///
    /// - Throws: ``Left`` where the client closed.
    func next() throws -> Message {
        guard let message = try conversation.receive() else { throw Left() }
        return message
    }

    func reply(_ payload: String, to request: Message) throws {
        try conversation.send(answer(payload, to: request))
    }

    func refuse(_ name: String, _ request: Message) throws {
        try conversation.send(
            Message(.error, requestID: request.requestID, payload: Array("\(name)\0".utf8))
        )
    }

    /// Replies to all that comes, as a store would whose keys have their paths for values.
    func serve() throws {
        while true {
            let request = try next()
            try reply(request.text, to: request)
        }
    }

    /// Takes all that comes and says nothing, until the client closes.
    func ignore() throws {
        while true { _ = try next() }
    }
}

/// The reply to a request, with the payload that it asks for.
func answer(_ payload: String, to request: Message) -> Message {
    Message(
        rawType: request.rawType,
        requestID: request.requestID,
        transactionID: request.transactionID,
        payload: Array(payload.utf8)
    )
}

extension Message {
    /// The payload without the NUL at its end.
    var text: String { String(decoding: payload.prefix { $0 != 0 }, as: UTF8.self) }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        encode(into: &bytes)
        return bytes
    }
}

func temporarySocketPath() -> String {
    "/tmp/xsfs-client-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
}

func startThread(_ body: @escaping @Sendable () -> Void) throws {
    final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    let context = Unmanaged.passRetained(Body(body)).toOpaque()
    var thread = pthread_t()
    let code = pthread_create(
        &thread,
        nil,
        { context in
            guard let context else { return nil }
            Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
            return nil
        },
        context
    )
    guard code == 0 else { throw FakeStore.NotStarted() }
    pthread_detach(thread)
}
