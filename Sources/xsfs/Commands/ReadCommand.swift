import ArgumentParser
import XenstoreClient
import XenstoreProtocol

/// `xsfs read KEY...`
struct ReadCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "read",
        abstract: "Print the values of keys.",
        discussion: """
            One line for each key, in which bytes that cannot be printed are written as \\n, \\t, \
            \\r, \\\\, \\001 or \\x7f. Several keys are read in one transaction.

            Status: 0, or 1 where a key cannot be read; what was read before it is printed.
            """
    )

    @Flag(name: [.short, .long], help: "Begin each line with the key and a colon.")
    var prefix = false

    @Flag(
        name: [.customShort("R"), .long],
        help: "Print the bytes as they are, and no newline after them."
    )
    var raw = false

    @Flag(help: "Print one object: keys and values; {\"base64\": ...} for what is not UTF-8.")
    var json = false

    @OptionGroup(title: "Which store")
    var place: StorePlace

    @Argument(help: "Keys, absolute or below the own domain's home.", transform: keyNamed)
    var keys: [String]

    func perform(_ client: Xenstore, _ output: Output) async throws {
        var values: [[UInt8]] = []
        let (paths, illegal) = legalPaths(keys, for: .read)
        let result = await Result(catching: {
            try await client.inTransaction(if: keys.count > 1) { handle in
                values = []
                for answer in try await handle.readMany(paths) { values.append(try answer.get()) }
                if let illegal { throw illegal }
            }
        })
        try write(values, output)
        try result.get()
    }

    private func write(_ values: [[UInt8]], _ output: Output) throws {
        if json {
            var object = try JSONObject(output)
            for (key, value) in zip(keys, values) { try object.add(key, JSONText.value(value)) }
            return try object.end()
        }
        for (key, value) in zip(keys, values) {
            if prefix { try output.write("\(key): ") }
            try output.write(raw ? value : EscapedText.escape(value))
            if !raw { try output.write("\n") }
        }
    }
}

/// The paths up to the first that is none, and why it is none.
func legalPaths(
    _ texts: [String],
    for operation: MessageType
) -> (paths: [XenstorePath], failure: ClientError?) {
    var paths: [XenstorePath] = []
    for text in texts {
        do throws(PathError) {
            paths.append(try XenstorePath(text))
        } catch {
            return (paths, ClientError(operation, path: text, .invalidPath(error)))
        }
    }
    return (paths, nil)
}

extension Result where Failure == any Error {
    init(catching body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
