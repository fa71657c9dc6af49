import ArgumentParser

/// The program: mounts, unless another command is named.
@main
struct Xsfs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "xsfs",
        abstract: "A filesystem that is the xenstore of this host or guest, and its toolbox.",
        usage: """
            xsfs [<options>] <mountpoint>
            xsfs <command> [<options>] [<arguments>]
            """,
        discussion: """
            What is no command is the directory to mount at: `xsfs help mount` has the options.

            Without an option that names the store it is found as libxenstore does: \
            $XENSTORED_PATH, then /run/xenstored/socket, /dev/xen/xenbus, /proc/xen/xenbus.
            """,
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(
                name: "Store",
                subcommands: mountCommands
            ),
            CommandGroup(name: "Key", subcommands: storeCommands),
        ],
        defaultSubcommand: Mount.self
    )

    private static let mountCommands: [any ParsableCommand.Type] = [
        Mount.self, Serve.self, TransactionCommand.self,
    ]
    private static let storeCommands: [any ParsableCommand.Type] = [
        ReadCommand.self, WriteCommand.self, ListCommand.self, TreeCommand.self, MakeCommand.self,
        RemoveCommand.self, ExistsCommand.self, PermissionsCommand.self,
        ChangePermissionsCommand.self, WatchCommand.self, WaitCommand.self, ControlCommand.self,
    ]

    static func main() {
        StandardDescriptors.keepTaken()
        var arguments = MulticallNames.arguments(of: CommandLine.arguments)
        // Whoever gives nothing is told of the mount that it could be.
        if arguments.isEmpty { arguments = ["mount"] }
        do {
            if let command = FastPath.command(of: arguments) {
                try command.run()
            } else {
                let commands = (mountCommands + storeCommands).map { $0._commandName }
                arguments = try CommandWord.arrange(arguments, commands: commands)
                var command = try parseAsRoot(arguments)
                try command.run()
            }
        } catch {
            // Help and the version go to standard output.
            if error is ExitCode || exitCode(for: error) == .success { exit(withError: error) }
            let failure = failure(error, of: arguments)
            failure.tell()
            exit(withError: ExitCode(failure.status))
        }
    }

    private static func failure(_ error: any Error, of arguments: [String]) -> CommandError {
        if let error = error as? CommandError { return error }
        let status = exitCode(for: error)
        guard status == .validationFailure else { return CommandError("\(error)") }
        let error = unknownOption(in: arguments) ?? error
        // The parser's message has words of the arguments in it; what follows is ours.
        let text = message(for: error)
        let whole = fullMessage(for: error)
        return CommandError(
            text,
            details: String(whole.trimmingPrefix("Error: " + text)),
            status: usageStatus(arguments) ?? status.rawValue
        )
    }

    /// What the parser says of an option that there is not. Where an argument is missing, too, it
    /// names that one instead.
    private static func unknownOption(in arguments: [String]) -> (any Error)? {
        let isServe = arguments.first == Serve._commandName
        for missing in isServe ? [["--listen", "."]] : [["."], [".", "--", "."]] {
            do {
                _ = try parseAsRoot(arguments + missing)
            } catch {
                // Another one is about what was added, or about what is missing still.
                if message(for: error).hasPrefix("Unknown option") { return error }
            }
        }
        return nil
    }

    /// The status of a wrong use of a command that a tool of Xen has, too: the tool's.
    private static func usageStatus(_ arguments: [String]) -> Int32? {
        let name = arguments.first
        guard storeCommands.contains(where: { $0.configuration.commandName == name }) else {
            return nil
        }
        return name == ControlCommand.configuration.commandName ? 2 : 1
    }
}
