import Testing

/// The scripts in a page of the documentation: blocks of `sh` whose first line is `# NAME`.
public struct Recipes: Sendable {
    /// What the page calls the mount.
    private static let place = "/mnt/xenstore"

    public let scripts: [String: String]

    /// Takes them out of a page.
    ///
    /// - Parameter page: its path in the repository.
    public init(page: String) throws(TestFailure) {
        guard let text = readFile("\(Place.repository)/\(page)") else {
            throw TestFailure("no page \(page)")
        }
        var scripts: [String: String] = [:]
        var block: [Substring]?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line == "```sh" || line == "```python" {
                block = []
            } else if line == "```", let lines = block {
                block = nil
                guard let title = lines.first, title.hasPrefix("# ") else { continue }
                let name = String(title.dropFirst(2))
                guard scripts[name] == nil else { throw TestFailure("\(page): two of \(name)") }
                scripts[name] = lines.joined(separator: "\n") + "\n"
            } else {
                block?.append(line)
            }
        }
        self.scripts = scripts
    }

    /// Puts them into files of a mount's test, `sh $T/recipes/NAME`, with the mount where the page
    /// has a place of its own, and a shell that finds `xsfs` as `PATH=$T/bin:$PATH`.
    public func install(for mount: Mounted) async throws {
        try await mount.expect("mkdir $T/recipes $T/bin && ln -s \"$XSFS\" $T/bin/xsfs")
        for (name, script) in scripts {
            try writeFile(
                "\(mount.shell.directory)/recipes/\(name)",
                script.split(separator: Self.place, omittingEmptySubsequences: false)
                    .joined(separator: mount.point)
            )
        }
    }
}
