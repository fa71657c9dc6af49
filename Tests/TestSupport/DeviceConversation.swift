import Glibc
public import XenstoreProtocol

/// A conversation over the kernel's xenbus device, or over what hands on such a device's bytes,
/// with blocking calls and nothing of the code under test but the codec.
public final class DeviceConversation: Conversation {
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
    /// What the kernel refused is its reply.
    private var refusals: [Message] = []

    public init(path: String) throws(SocketConversation.Failure) {
        descriptor = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw SocketConversation.Failure(call: "open \(path)", number: errno)
        }
    }

    deinit { close(descriptor) }

    /// Sends one message. The error of write(2), if there is one, is the answer to it.
    public func send(_ message: Message) {
        var bytes: [UInt8] = []
        message.encode(into: &bytes)
        // The device takes a message a write(2), all of it.
        guard write(descriptor, bytes, bytes.count) != bytes.count else { return }
        let names = [EINVAL: "EINVAL", E2BIG: "E2BIG", EIO: "EIO", ENOSPC: "ENOSPC"]
        let name = names[errno] ?? "error \(errno)"
        refusals.append(
            Message(
                .error,
                requestID: message.requestID,
                transactionID: message.transactionID,
                payload: Array(name.utf8) + [0]
            )
        )
    }

    public func receive() throws -> Message? {
        if !refusals.isEmpty { return refusals.removeFirst() }
        while true {
            if let message = try decoder.next() { return message }
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, Self.patience) == 1 else { return nil }
            let count = decoder.fill(minimumCapacity: Self.pieceSize) { buffer in
                max(0, read(descriptor, buffer.baseAddress, buffer.count))
            }
            guard count > 0 else { return nil }
        }
    }
}
