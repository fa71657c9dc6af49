import ArgumentParser
import Glibc
import XenstoreClient
import XenstoreProtocol

/// `xsfs ls [KEY...]`
struct TreeCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "Print keys with their values, and all below them.",
        discussion: """
            A tree, cut to the width of the terminal, or to 80 columns; with -f whole paths and \
            values, which `xsfs --embedded --load` takes. A value that cannot be read is a colon. \
            What is below a key that cannot be listed is left out, and told of on standard error.

            The store is asked for many keys at once, outside a transaction.

            Status: 0, or 1 where a key cannot be listed; what goes meanwhile is no error.
            """
    )

    /// `SCHED_BATCH` of sched(7), which C hides from Swift.
    private static let batchPolicy: Int32 = 3

    /// Columns where there is no terminal.
    private static let standardWidth = 80

    @Flag(name: [.short, .long], help: "Print whole paths and values.")
    var flat = false

    @Flag(name: [.customShort("p"), .long], help: "Print permissions, too.")
    var permissions = false

    @Flag(
        help:
            "Print one object: paths and values; with -p {\"value\": ..., \"permissions\": [...]}."
    )
    var json = false

    @OptionGroup(title: "Which store")
    var place: StorePlace

    @Argument(help: "Keys, absolute or below the own domain's home.", transform: keyNamed)
    var keys: [String] = ["/"]

    func perform(_ client: Xenstore, _ output: Output) async throws {
        // A store answers requests one by one, and each answer would wake us: this way many are
        // there when we are woken.
        var parameters = sched_param()
        _ = sched_setscheduler(0, Self.batchPolicy, &parameters)
        var failures: [ClientError] = []
        var object = try json ? JSONObject(output) : nil
        for key in keys {
            do {
                let tree = try await client.tree(at: key, permissions: permissions)
                if case .failure(let error) = tree.root.children { throw error }
                failures += try write(tree, &object, output)
            } catch let error as ClientError {
                failures.append(error)
                break
            }
        }
        try object?.end()
        guard let last = failures.popLast() else { return }
        try output.flush()
        for failure in failures { CommandError(failure.explanation).tell() }
        throw last
    }

    /// - Returns: why keys could not be listed. One that has gone meanwhile is no news.
    private func write(
        _ tree: StoreTree,
        _ object: inout JSONObject?,
        _ output: Output
    ) throws(CommandError) -> [ClientError] {
        let listing = TreeListing(
            isFlat: flat,
            showsPermissions: permissions,
            width: Self.terminalWidth
        )
        var failures: [ClientError] = []
        try tree.forEach { (node, level) throws(CommandError) in
            guard level > 0 else { return }
            if object != nil {
                try object?.add(node.path.text, Self.json(node))
            } else {
                try output.write(listing.line(for: node, depth: level - 1))
                try output.write("\n")
            }
            if case .failure(let error) = node.children, error.code != .noEntry {
                failures.append(error)
            }
        }
        return failures
    }

    private static func json(_ node: StoreTree.Node) -> String {
        let value = (try? node.value.get()).map(JSONText.value) ?? "null"
        guard let permissions = node.permissions else { return value }
        let list = (try? permissions.get()).map(JSONText.permissions) ?? "null"
        return "{\"value\": \(value), \"permissions\": \(list)}"
    }

    private static var terminalWidth: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 else { return standardWidth }
        return Int(size.ws_col) - 2
    }
}
