/// The names of Xen's own tools: a link `xenstore-read` to the program makes it `xsfs read`, for
/// scripts in guests that have no such tools.
enum MulticallNames {
    private static let prefix = "xenstore-"
    private static let tools: Set<String> = [
        "chmod", "control", "exists", "list", "ls", "read", "rm", "watch", "write",
    ]

    /// The arguments of `xsfs` that a command line means.
    static func arguments(of commandLine: [String]) -> [String] {
        let rest = Array(commandLine.dropFirst())
        let name = commandLine.first?.split(separator: "/").last ?? ""
        guard name.hasPrefix(prefix) else { return rest }
        let tool = String(name.dropFirst(prefix.count))
        return tools.contains(tool) ? [tool] + rest : rest
    }
}
