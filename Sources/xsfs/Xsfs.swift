import ArgumentParser

/// The program: mounts, unless another command is named.
@main
struct Xsfs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "xsfs",
        abstract: "A filesystem that is the xenstore of this host or guest.",
        version: "0.1.0",
        subcommands: [Mount.self, Serve.self],
        defaultSubcommand: Mount.self
    )

    static func main() {
        var arguments = Array(CommandLine.arguments.dropFirst())
        // Whoever asks for help, or gives nothing, means the mount and its options.
        if ["-h", "--help", nil].contains(arguments.first) {
            arguments.insert("mount", at: 0)
        }
        main(arguments)
    }
}
