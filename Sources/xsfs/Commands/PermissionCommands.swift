import ArgumentParser
import XenstoreClient
import XenstoreProtocol

/// `xsfs perms KEY...`
struct PermissionsCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "perms",
        abstract: "Print the permissions of keys.",
        discussion: """
            `n0,r5`: domain 0 owns the key, domains that are not named may do nothing, domain 5 \
            may read. n is nothing, r reading, w writing, b both. Several keys are looked up in \
            one transaction.

            Status: 0, or 1 where the permissions of a key cannot be read.
            """
    )

    @Flag(name: [.short, .long], help: "Begin each line with the key and a colon.")
    var prefix = false

    @Flag(help: "Print one object: keys and lists of entries.")
    var json = false

    @OptionGroup(title: "Which store")
    var place: StorePlace

    @Argument(help: "Keys, absolute or below the own domain's home.", transform: keyNamed)
    var keys: [String]

    func perform(_ client: Xenstore, _ output: Output) async throws {
        var found: [Permissions] = []
        let result = await Result(catching: {
            try await client.inTransaction(if: keys.count > 1) { handle in
                found = []
                for key in keys { found.append(try await handle.permissions(of: key)) }
            }
        })
        var object = try json ? JSONObject(output) : nil
        for (key, permissions) in zip(keys, found) {
            if object != nil {
                try object?.add(key, JSONText.permissions(permissions))
            } else {
                try output.write((prefix ? "\(key): " : "") + "\(permissions)\n")
            }
        }
        try object?.end()
        try result.get()
    }
}

/// `xsfs chmod KEY ENTRY...`
struct ChangePermissionsCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "chmod",
        abstract: "Set the permissions of a key.",
        discussion: """
            The first entry is the owner and what domains may do that no other entry names; the \
            others are domains and what they may do: `xsfs chmod /k n0 r5`. n is nothing, r \
            reading, w writing, b both. All is one transaction.

            Status: 0, or 1 where nothing was set.
            """
    )

    @Flag(name: [.customShort("u"), .long], help: "Set those of all parents but the root, too.")
    var upto = false

    @Flag(name: [.short, .long], help: "Set those of all keys below it, too.")
    var recurse = false

    @OptionGroup(title: "Which store")
    var place: StorePlace

    @Argument(help: "A key, absolute or below the own domain's home.", transform: keyNamed)
    var key: String

    @Argument(help: "A letter and a domain each, such as r5.")
    var entries: [String]

    func perform(_ client: Xenstore, _ output: Output) async throws {
        let text = Array(entries.joined(separator: ",").utf8)
        guard let permissions = Permissions(text: text) else {
            throw CommandError("'\(entries.joined(separator: " "))' are no permissions")
        }
        try await client.inTransaction(if: upto || recurse) { handle in
            try await handle.setPermissions(permissions, of: key)
            var path = try XenstorePath(key)
            if recurse {
                let below = try await handle.tree(at: path).nodes.dropFirst().map(\.path)
                let requests = below.map { Request.setPermissions($0, permissions) }
                for answer in await handle.perform(requests) { _ = try answer.get() }
            }
            while upto, let parent = path.parent, !parent.isRoot {
                try await handle.setPermissions(permissions, of: parent)
                path = parent
            }
        }
    }
}
