import ArgumentParser
import XenstoreClient
import XenstoreProtocol

/// `xsfs mkdir KEY...`
struct MakeCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "mkdir",
        abstract: "Make keys with empty values, and their parents, where missing.",
        discussion: """
            What is there stays as it is. Several keys are made in one transaction.

            Status: 0, or 1 where nothing was made.
            """
    )

    @OptionGroup(title: "Which store")
    var place: StorePlace

    @Argument(help: "Keys, absolute or below the own domain's home.", transform: keyNamed)
    var keys: [String]

    func perform(_ client: Xenstore, _ output: Output) async throws {
        try await client.inTransaction(if: keys.count > 1) { handle in
            for key in keys { try await handle.makeDirectory(key) }
        }
    }
}

/// `xsfs rm KEY...`
struct RemoveCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Remove keys and all below them.",
        discussion: """
            A key that is missing is no error, if its parent is there. Several keys are removed \
            in one transaction: all or none.

            Status: 0, or 1 where nothing was removed.
            """
    )

    @Flag(
        name: [.short, .long],
        help: "Remove the parents, too, that have neither a value nor children then."
    )
    var tidy = false

    @OptionGroup(title: "Which store")
    var place: StorePlace

    @Argument(help: "Keys, absolute or below the own domain's home.", transform: keyNamed)
    var keys: [String]

    func perform(_ client: Xenstore, _ output: Output) async throws {
        try await client.inTransaction(if: keys.count > 1 || tidy) { handle in
            for key in keys {
                try await handle.remove(key)
                if tidy { try await removeEmptyParents(of: XenstorePath(key), handle) }
            }
        }
    }

    private func removeEmptyParents(
        of path: XenstorePath,
        _ handle: XenstoreHandle
    ) async throws {
        var path = path
        while let parent = path.parent, !parent.isRoot {
            // A parent that may not be read stays.
            guard let value = try? await handle.read(parent), value.isEmpty,
                let children = try? await handle.directory(parent), children.isEmpty
            else { return }
            try await handle.remove(parent)
            path = parent
        }
    }
}

/// `xsfs exists KEY...`
struct ExistsCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "exists",
        abstract: "Tell whether keys exist and can be read.",
        discussion: """
            Prints nothing but with --json. Several keys are looked up in one transaction.

            Status: 0 if all exist, 1 if one does not or cannot be read.
            """
    )

    @Flag(help: "Print one object: keys, and true or false.")
    var json = false

    @OptionGroup(title: "Which store")
    var place: StorePlace

    @Argument(help: "Keys, absolute or below the own domain's home.", transform: keyNamed)
    var keys: [String]

    func perform(_ client: Xenstore, _ output: Output) async throws {
        let found = try await client.inTransaction(if: keys.count > 1) { handle in
            try await handle.readMany(keys)
        }
        var missing: [ClientError] = []
        var object = try json ? JSONObject(output) : nil
        for (key, answer) in zip(keys, found) {
            if case .failure(let error) = answer { missing.append(error) }
            try object?.add(key, (try? answer.get()) == nil ? "false" : "true")
        }
        try object?.end()
        // Whoever asks wants to know of a store that is away.
        for error in missing where error.code == nil { throw error }
        if !missing.isEmpty { throw ExitCode.failure }
    }
}
