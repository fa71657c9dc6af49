import FuseAdapter
import Glibc
import SystemPackage

/// The daemon's side of a command that returns when the mount is usable.
struct Background {
    /// Where the command waits for a byte, or for the end.
    private let readyEnd: FileDescriptor

    /// Goes on in a new process; in the old one, waits and exits: with 0 when the new one is
    /// ready, with 1 when it has ended before and told the reason on standard error.
    ///
    /// To be called before any task or thread exists.
    static func enter() throws -> Background {
        let (readEnd, writeEnd) = try FileDescriptor.pipe()
        guard try DaemonProcess.fork() == 0 else {
            try writeEnd.close()
            var byte: UInt8 = 0
            let count = try withUnsafeMutableBytes(of: &byte) { try readEnd.read(into: $0) }
            exit(count == 1 ? 0 : 1)
        }
        try readEnd.close()
        setsid()
        return Background(readyEnd: writeEnd)
    }

    /// Lets the command return, and lets go of the terminal.
    func ready() {
        // Where the command is gone nobody waits for the byte.
        _ = try? readyEnd.writeAll([1])
        try? readyEnd.close()
        chdir("/")
        guard let null = try? FileDescriptor.open("/dev/null", .readWrite) else { return }
        for standard: Int32 in 0...2 {
            dup2(null.rawValue, standard)
        }
        try? null.close()
        Log.useSystemLog()
    }
}
