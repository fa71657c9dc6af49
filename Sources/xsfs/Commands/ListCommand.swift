import ArgumentParser
import XenstoreClient

/// `xsfs list KEY...`
struct ListCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Print the names of the children of keys.",
        discussion: """
            One line for each child, in the store's order. Several keys are listed in one \
            transaction.

            Status: 0, or 1 where a key cannot be listed; what was listed before it is printed.
            """
    )

    @Flag(name: [.short, .long], help: "Print whole paths.")
    var prefix = false

    @Flag(help: "Print one object: keys and lists of names.")
    var json = false

    @OptionGroup(title: "Which store")
    var place: StorePlace

    @Argument(help: "Keys, absolute or below the own domain's home.", transform: keyNamed)
    var keys: [String]

    func perform(_ client: Xenstore, _ output: Output) async throws {
        var lists: [[String]] = []
        let result = await Result(catching: {
            try await client.inTransaction(if: keys.count > 1) { handle in
                lists = []
                for key in keys { lists.append(try await handle.directory(key)) }
            }
        })
        try write(lists, output)
        try result.get()
    }

    private func write(_ lists: [[String]], _ output: Output) throws {
        if json {
            var object = try JSONObject(output)
            for (key, names) in zip(keys, lists) {
                let beginning = prefix ? parent(key) : ""
                let list = JSONText.list(names.map { JSONText.string(beginning + $0) })
                try object.add(key, list)
            }
            return try object.end()
        }
        for (key, names) in zip(keys, lists) {
            let beginning = prefix ? parent(key) : ""
            for name in names { try output.write(beginning + name + "\n") }
        }
    }

    private func parent(_ key: String) -> String { key == "/" ? "/" : key + "/" }
}
