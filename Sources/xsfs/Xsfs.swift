import ArgumentParser

/// The program: mounts, unless another command is named.
@main
struct Xsfs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "xsfs",
        abstract: "A filesystem that is the xenstore of this host or guest.",
        discussion: """
            xsfs /mnt/xenstore
            cat /mnt/xenstore/local/domain/0/name
            """,
        version: "0.1.0",
        subcommands: [Mount.self, Serve.self],
        defaultSubcommand: Mount.self
    )
}
