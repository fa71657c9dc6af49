import ArgumentParser
import SystemPackage
import XenstoreClient
import XenstoreProtocol

/// `xsfs write KEY VALUE...`
struct WriteCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "write",
        abstract: "Set the values of keys; make keys and their parents where missing.",
        usage: """
            xsfs write [<options>] <key> <value> [<key> <value> ...]
            xsfs write --stdin [<options>] <key>
            """,
        discussion: """
            In a value \\n, \\t, \\r, \\\\, \\001 (octal) and \\x7f stand for bytes, as `xsfs read` \
            prints them. Several keys are written in one transaction: all or none. What begins \
            with a dash comes after `--`.

            Status: 0, or 1 where nothing was written.
            """
    )

    @Flag(name: [.customShort("R"), .long], help: "Take values as they are: no escapes.")
    var raw = false

    @Flag(help: "Take the bytes of standard input as the value, up to its end.")
    var stdin = false

    @OptionGroup(title: "Which store")
    var place: StorePlace

    @Argument(help: "Keys, each followed by its value.")
    var arguments: [String]

    func validate() throws {
        if stdin {
            guard arguments.count == 1 else {
                throw ValidationError("with --stdin there is one key, and no value")
            }
        } else if !arguments.count.isMultiple(of: 2) {
            throw ValidationError("the key \(arguments[arguments.count - 1]) has no value")
        }
    }

    func perform(_ client: Xenstore, _ output: Output) async throws {
        var values: [(path: String, value: [UInt8])] = []
        if stdin {
            let value = try readAll(FileDescriptor.standardInput, named: "standard input")
            values = [(keyNamed(arguments[0]), value)]
        } else {
            for index in stride(from: 0, to: arguments.count, by: 2) {
                let text = arguments[index + 1]
                let value = raw ? Array(text.utf8) : EscapedText.unescape(text)
                values.append((keyNamed(arguments[index]), value))
            }
        }
        try await client.inTransaction(if: values.count > 1) { handle in
            try await handle.writeMany(values)
        }
    }
}
