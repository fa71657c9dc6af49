import Glibc
import Synchronization
import SystemPackage
import XenstoreProtocol

/// What the program says to a person.
enum Message {
    /// Says it on standard error, in one line, as every program of the system says who speaks.
    ///
    /// - Parameter details: lines that follow as they are, but for what is not printable in them.
    static func tell(_ text: String, details: String = "") {
        var lines = "xsfs: \(text.printable)\n"
        for line in details.split(separator: "\n", omittingEmptySubsequences: false).dropFirst() {
            // Tables have tabs.
            let cells = line.split(separator: "\t", omittingEmptySubsequences: false)
            lines += cells.map(\.printable).joined(separator: "\t") + "\n"
        }
        write(lines)
    }

    /// Says it unless somebody would have to read what stands there first: a daemon must not wait
    /// for the reader of its log.
    static func tellWithoutWaiting(_ text: String) { writeLine("xsfs: \(text.printable)") }

    /// Lines that were left out since the last that was written.
    private static let lost = Atomic(0)

    /// Writes a line that is printable to standard error, unless that would wait.
    static func writeLine(_ line: String) {
        var request = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        guard poll(&request, 1, 0) > 0, request.revents & Int16(POLLOUT) != 0 else {
            lost.add(1, ordering: .relaxed)
            return
        }
        let count = lost.exchange(0, ordering: .relaxed)
        let gap = count == 0 ? "" : "xsfs: \(count) lines of the log are left out here\n"
        // What a pipe that can be written takes at once.
        write(String(decoding: (gap + line).utf8.prefix(Int(PIPE_BUF) - 1), as: UTF8.self) + "\n")
    }

    private static func write(_ lines: String) {
        // Where standard error is closed there is nowhere left to say it.
        _ = try? FileDescriptor.standardError.writeAll(lines.utf8)
    }
}
