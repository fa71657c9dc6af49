import Glibc
import Reactor
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
    /// - Throws: the error of open(2), socket(2) or connect(2); `ENODEV` where there is no device.
    package init(opening address: StoreAddress, patience: Duration = .zero) throws(Errno) {
        refuses = nil
        switch address {
        case .socket(let path):
            descriptor = try UnixSocket.connect(to: path, patience: patience)
            writesSingleMessages = false
        case .device(let path):
            descriptor = try XenbusDevice.open(path)
            writesSingleMessages = true
        }
    }

    /// Whether a client may leave events unread for milliseconds, and nobody is worse off.
    ///
    /// oxenstored 4.17 reads no more from a client whose changes make events for another that is
    /// some 2200 behind, and does not go on when that one has taken them. A socket holds 140 of
    /// them, and oxenstored makes 15,000 a second: who waits for 8 ms at a time falls behind. So
    /// it is done where the program is known, and not oxenstored.
    package var mayLeaveEventsUnread: Bool {
        guard !writesSingleMessages else { return false }
        return switch UnixSocket.peerProgram(of: descriptor) {
        case "xenstored", "xsfs": true
        default: false
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
