import ArgumentParser

/// `xsfs serve --listen PATH`
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a xenstore on a unix socket, without a mount."
    )

    @Option(help: ArgumentHelp("The socket to listen at.", valueName: "path"), completion: .file())
    var listen: String

    @Option(
        help: ArgumentHelp(
            "Fill the store from the text that `xenstore-ls -f` or `-fp` prints, instead of the sample.",
            valueName: "file"
        ),
        completion: .file()
    )
    var load: String?

    func run() throws {
        let daemon = try ServeDaemon(EmbeddedStore(loading: load), at: listen)
        try daemon.run()
    }
}
