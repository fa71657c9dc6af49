import EventLoop
import Glibc
package import SystemPackage
import XenstoreProtocol

/// The open channel to a store: what it is, and how bytes go over it.
package struct Transport {
    package let descriptor: FileDescriptor
    /// Whether each write(2) must hold exactly one message: the kernel's device drops what follows
    /// the first.
    package let writesSingleMessages: Bool
    /// Called with each message before it goes out over a device; what it throws is the error of
    /// that write(2). For a device that a test plays: a socket's write does not fail like this.
    package let refuses: ((ArraySlice<UInt8>) -> Errno?)?

    /// Takes a channel that is open.
    package init(
        device descriptor: FileDescriptor,
        refuses: @escaping (ArraySlice<UInt8>) -> Errno?
    ) {
        self.descriptor = descriptor
        writesSingleMessages = true
        self.refuses = refuses
    }

    /// Opens the channel.
    ///
    /// - Parameter patience: how long it may block where too many clients wait to be accepted.
    /// - Throws: the error of open(2), socket(2) or connect(2).
    package init(opening address: StoreAddress, patience: Duration = .zero) throws(Errno) {
        refuses = nil
        switch address {
        case .socket(let path):
            descriptor = try UnixSocket.connect(to: path, patience: patience)
            writesSingleMessages = false
        case .device(let path):
            let number = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
            guard number >= 0 else { throw Errno.current }
            descriptor = FileDescriptor(rawValue: number)
            writesSingleMessages = true
        }
    }

    /// Bytes of payload that one request may have.
    package static func payloadLimit(of address: StoreAddress) -> Int {
        switch address {
        case .socket: ProtocolLimits.payloadSize
        case .device: ProtocolLimits.xenbusPayloadSize
        }
    }
}
