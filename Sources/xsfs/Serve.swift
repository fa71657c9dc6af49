import ArgumentParser
import Glibc
import XenstoreStore

/// `xsfs serve --listen PATH`
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a xenstore on a unix socket, without a mount."
    )

    @Option(help: ArgumentHelp("The socket to listen at.", valueName: "path"), completion: .file())
    var listen: String

    @Option(
        name: .customLong("domain"),
        help: ArgumentHelp(
            "Another socket, whose clients are the unprivileged domain ID. May be repeated.",
            valueName: "id=path"
        )
    )
    var domains: [DomainSocket] = []

    @Option(
        help: ArgumentHelp(
            "Fill the store from the text that `xenstore-ls -f` or `-fp` prints, instead of the sample.",
            valueName: "file"
        ),
        completion: .file()
    )
    var load: String?

    @Option(
        help: ArgumentHelp(
            "Keep the store in this file: what was acknowledged survives. One that is there counts, not --load.",
            valueName: "file"
        ),
        completion: .file()
    )
    var state: String?

    @Flag(
        name: .customLong("state-repair"),
        help: ArgumentHelp(
            "Where the file of --state is damaged, keep it as FILE.damaged, and go on with what is whole in it."
        )
    )
    var repairsState = false

    @Option(
        help: ArgumentHelp(
            "Whose behaviour to have where Xen's daemons differ: c is C xenstored.",
            valueName: "c|oxenstored"
        ),
        transform: Compatibility.named
    )
    var compatibility = Compatibility.xenstored

    func validate() throws {
        if repairsState, state == nil { throw ValidationError("--state-repair needs --state") }
    }

    func run() throws {
        // It toggles the trace of a mount, and pkill(1) sends it to all of the name. Until there is
        // a handler it would end the program.
        signal(SIGUSR2, SIG_IGN)
        let store = try EmbeddedStore(
            loading: load,
            keptIn: state,
            repairing: repairsState,
            as: compatibility
        )
        let daemon = ServeDaemon(store, at: listen, domains: domains)
        try daemon.run()
    }
}
