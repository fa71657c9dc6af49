import Glibc
import MountSupport
import Testing

/// Starts a store, runs the body with a shell whose tools find it, and ends it.
func withStore(
    _ kind: StoreKind,
    _ body: (Shell) async throws -> Void
) async throws {
    try await Shell.use { shell in
        let store = try await TestStore.start(kind, in: shell)
        let tools = shell.adding(["S": store.socket, "XENSTORED_PATH": store.socket])
        let result = await Result(catching: { try await body(tools) })
        try await store.stop()
        try result.get()
    }
}

/// What `X` is in a script that both Xen's tools and ours run.
enum Toolbox: String, CaseIterable {
    case xen, ours

    /// Debian's wrapper of this tool asks the hypervisor which version it is.
    private static let control = "/usr/lib/xen-4.17/bin/xenstore-control"

    var definition: String {
        switch self {
        case .xen:
            """
            X() {
                local tool=xenstore-$1
                [ "$1" = control ] && tool=\(Self.control)
                shift
                "$tool" "$@"
            }

            """
        case .ours: "X() { \"$XSFS\" \"$@\"; }\n"
        }
    }
}

extension Shell {
    /// Expects that a script prints the same, and leaves the same in the store, with Xen's tools
    /// as with ours. The script ends with what it wants to be compared.
    ///
    /// - Returns: what it printed.
    @discardableResult
    func expectSame(
        _ script: String,
        _ location: SourceLocation = #_sourceLocation
    ) async throws -> String {
        var outputs: [String] = []
        for toolbox in Toolbox.allCases {
            let setUp = "xenstore-exists /t && xenstore-rm /t\n" + toolbox.definition
            // Each command with what it returns, whatever the one before it did.
            let result = try await run(setUp + script + "\nxenstore-ls -fp / | grep '^/t[/ ]'")
            outputs.append(result.output)
        }
        #expect(
            outputs[1] == outputs[0],
            "\(script)\n--- Xen\n\(outputs[0])\n--- ours\n\(outputs[1])",
            sourceLocation: location
        )
        return outputs[0]
    }
}
