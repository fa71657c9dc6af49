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
            try Self.writeAll(bytes)
        } catch Errno.brokenPipe {
            signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
        } catch {
            throw CommandError("cannot write the output: \(error)")
        }
    }
    // Not with the library's call: for the types in it the runtime looks through all conformances
    // of the program, which shows in what a short command takes.
    private static func writeAll(_ bytes: [UInt8]) throws(Errno) {
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { rest in
                Glibc.write(STDOUT_FILENO, rest.baseAddress, rest.count)
            }
            guard count < 0 else {
                written += count
                continue
            }
            let error = Errno(rawValue: errno)
            guard error == .interrupted else { throw error }
        }
    }
}
