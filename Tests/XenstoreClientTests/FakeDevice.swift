import Glibc
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import XenstoreClient
import XenstoreProtocol

/// The kernel's xenbus device, as a script on a thread plays it: what is written with one write(2)
/// is one message, and nothing else.
final class FakeDevice: Sendable {
    struct Broken: Error, CustomStringConvertible {
        let description: String
    }

    /// The kernel's side of the device.
    struct Kernel {
        fileprivate let descriptor: Int32
        fileprivate let conversation: SocketConversation

        /// The message that the next write(2) brings.
        func next() throws -> Message {
            var buffer = [UInt8](repeating: 0, count: 8192)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw Broken(description: "closed") }
            var decoder = MessageDecoder()
            _ = decoder.fill(minimumCapacity: buffer.count) { place in
                place.copyBytes(from: buffer[..<count])
                return count
            }
            guard let message = try decoder.next(), message.bytes.count == count else {
                throw Broken(description: "a write(2) that is not one message: \(count) bytes")
            }
            return message
        }

        /// Whether a message comes within so many milliseconds.
        func hasMore(within milliseconds: Int32) -> Bool {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&entry, 1, milliseconds) == 1
        }

        func send(_ message: Message) throws { try conversation.send(message) }

        func reply(_ payload: String, to request: Message) throws {
            try send(answer(payload, to: request))
        }

        func refuse(_ name: String, _ request: Message) throws {
            let payload = Array("\(name)\0".utf8)
            try send(Message(.error, requestID: request.requestID, payload: payload))
        }

        /// The event of a watch, with numbers in its header that nobody has set.
        func event(_ path: String, of watch: Message) throws {
            let parts = watch.payload.split(separator: 0, omittingEmptySubsequences: false)
            try send(
                Message(
                    .watchEvent,
                    requestID: RequestID(0xDEAD_BEEF),
                    transactionID: TransactionID(0xBAD),
                    payload: Array("\(path)\0".utf8) + parts[1] + [0]
                )
            )
        }
    }

    private let refused: @Sendable (Message) -> Errno?
    private let script: @Sendable (Kernel) throws -> Void
    /// Why a script ended.
    let failures = Recorder<String>()

    /// - Parameter refuses: the error of the write(2) that would bring a message.
    init(
        refuses: @escaping @Sendable (Message) -> Errno? = { _ in nil },
        _ script: @escaping @Sendable (Kernel) throws -> Void
    ) {
        refused = refuses
        self.script = script
    }

    /// Runs the body with a client of the device.
    func withClient(
        _ body: @Sendable (Xenstore) async throws -> Void
    ) async throws {
        let loop = try EventLoop.startThread()
        defer { loop.stop() }
        try await withTaskExecutorPreference(loop) {
            let connection = try StoreConnection(
                to: .device("/dev/xen/xenbus"),
                on: loop,
                configuration: ConnectionConfiguration()
            ) { _ throws(Errno) in
                try self.open()
            }
            let client = Xenstore(over: connection)
            try await body(client)
            await client.close()
        }
    }

    private func open() throws(Errno) -> Transport {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_SEQPACKET.rawValue) | O_CLOEXEC
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Errno(rawValue: errno) }
        guard fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 else { throw Errno(rawValue: errno) }
        let (script, failures) = (script, failures)
        do {
            try startThread { [end = ends[1]] in
                let conversation = SocketConversation(descriptor: end)
                do {
                    try script(Kernel(descriptor: end, conversation: conversation))
                } catch let error as Broken where error.description == "closed" {
                } catch {
                    failures.note("\(error)")
                }
            }
        } catch {
            throw .noMemory
        }
        return Transport(device: FileDescriptor(rawValue: ends[0])) { [refused] bytes in
            var decoder = MessageDecoder()
            _ = decoder.fill(minimumCapacity: bytes.count) { place in
                place.copyBytes(from: bytes)
                return bytes.count
            }
            guard let message = try? decoder.next() else { return .invalidArgument }
            return refused(message)
        }
    }
}
