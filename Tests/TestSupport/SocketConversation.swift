import Glibc
public import XenstoreProtocol

/// A conversation over a unix socket, with blocking calls and nothing of the code under test but
/// the codec: whatever listens there is what is tested.
public final class SocketConversation: Conversation {
    /// Why there is no conversation, or none any more.
    public struct Failure: Error, CustomStringConvertible {
        public let call: String
        public let number: Int32

        public var description: String { "\(call): \(String(cString: strerror(number)))" }
    }

    /// How long an answer may take before a test gives up, in milliseconds.
    private static let patience: Int32 = 20_000

    /// What is read at a time, in bytes. A debug build takes milliseconds to clear a large buffer,
    /// and many tests have many conversations.
    private static let pieceSize = 4096

    private let descriptor: Int32
    private var decoder = MessageDecoder(
        directoryLimit: ProtocolLimits.oversizedListing,
        initialCapacity: pieceSize
    )

    /// Connects, and tries again for as long as nobody listens yet, up to `milliseconds`.
    public init(path: String, milliseconds: Int = 0) throws(Failure) {
        var remaining = milliseconds
        while true {
            do throws(Failure) {
                descriptor = try Self.connect(path)
                return
            } catch {
                guard remaining > 0, [ENOENT, ECONNREFUSED].contains(error.number) else {
                    throw error
                }
                usleep(10_000)
                remaining -= 10
            }
        }
    }

    /// Takes over a socket that is connected.
    public init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    public func send(_ message: Message) throws(Failure) {
        var bytes: [UInt8] = []
        message.encode(into: &bytes)
        try send(bytes)
    }

    /// Sends bytes as they are, whole messages or not; fails if they are not taken in time.
    public func send(_ bytes: [UInt8]) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor,
                    $0.baseAddress?.advanced(by: sent),
                    bytes.count - sent,
                    Int32(MSG_NOSIGNAL)
                )
            }
            guard count > 0 else { throw Failure(call: "send", number: errno) }
            sent += count
        }
    }

    /// Sends what fits without waiting for the other side to read.
    ///
    /// - Returns: the number of bytes that went; 0 where nothing fits, or the other side is gone.
    public func sendWhatFits(_ bytes: [UInt8]) -> Int {
        max(0, Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)))
    }

    public func receive() throws -> Message? { try receive(within: Self.patience) }

    /// The next message; nil where none comes in so many milliseconds.
    public func receive(within milliseconds: Int32) throws -> Message? {
        while true {
            if let message = try decoder.next() { return message }
            guard try fill(within: milliseconds) == true else { return nil }
        }
    }

    /// Reads all that comes until the other side ends the conversation.
    ///
    /// - Returns: false if it does not within the time of one answer.
    public func end() throws -> Bool {
        while true {
            guard let hasMore = try fill() else { return false }
            if !hasMore { return true }
            while try decoder.next() != nil {}
        }
    }

    /// Reads once.
    ///
    /// - Returns: false at the end; nil if nothing comes in time.
    private func fill(within milliseconds: Int32 = patience) throws -> Bool? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, milliseconds) == 1 else { return nil }
        let count = decoder.fill(minimumCapacity: Self.pieceSize) { buffer in
            max(0, read(descriptor, buffer.baseAddress, buffer.count))
        }
        return count > 0
    }

    private static func connect(_ path: String) throws(Failure) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw Failure(call: "socket", number: errno) }
        var limit = timeval(tv_sec: Int(patience / 1000), tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path) - 1
        guard path.utf8.count <= capacity else {
            close(descriptor)
            throw Failure(call: "connect", number: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, length)
            }
        }
        guard result == 0 else {
            let number = errno
            close(descriptor)
            throw Failure(call: "connect \(path)", number: number)
        }
        return descriptor
    }
}
