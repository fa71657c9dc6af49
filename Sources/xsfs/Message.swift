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

    /// Writes a line that is printable to standard error.
    static func writeLine(_ line: String) { write(line + "\n") }

    private static func write(_ lines: String) {
        // Where standard error is closed there is nowhere left to say it.
        _ = try? FileDescriptor.standardError.writeAll(lines.utf8)
    }
}
