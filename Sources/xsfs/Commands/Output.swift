import Glibc
import Synchronization
import SystemPackage

/// Standard output: gathers what a command says, and writes it in large pieces.
final class Output: Sendable {
    /// Bytes from which on they are written.
    private static let pieceSize = 1 << 16

    private let gathered = Mutex<[UInt8]>([])

    /// Says a text.
    func write(_ text: String) throws(CommandError) {
        try write(text.utf8)
    }

    /// Says bytes as they are.
    func write(_ more: some Sequence<UInt8>) throws(CommandError) {
        let size = gathered.withLock { bytes in
            bytes.append(contentsOf: more)
            return bytes.count
        }
        if size >= Self.pieceSize { try flush() }
    }

    /// Writes all that was said. Where nobody reads it any more, the process ends by SIGPIPE, as
    /// programs do that know nothing of it.
    ///
    /// - Throws: ``CommandError`` where it cannot be written.
    func flush() throws(CommandError) {
        let bytes = gathered.withLock { bytes in
            defer { bytes = [] }
            return bytes
        }
        guard !bytes.isEmpty else { return }
        do {
            try FileDescriptor.standardOutput.writeAll(bytes)
        } catch Errno.brokenPipe {
            signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
        } catch {
            throw CommandError("cannot write the output: \(error)")
        }
    }
}
