import ArgumentParser
import XenstoreClient
import XenstoreStore

/// Which store is meant.
struct StoreArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp("The unix socket of a xenstore daemon.", valueName: "path"),
        completion: .file()
    )
    var socket: String?

    @Option(
        help: ArgumentHelp("The kernel's xenbus device.", valueName: "path"),
        completion: .file()
    )
    var device: String?

    @Flag(help: "A store inside this process, with a sample host and two guests in it.")
    var embedded = false

    @Option(
        help: ArgumentHelp(
            "Fill the embedded store from the text that `xenstore-ls -f` or `-fp` prints.",
            valueName: "file"
        ),
        completion: .file()
    )
    var load: String?

    @Option(
        help: ArgumentHelp("Serve the embedded store on this unix socket, too.", valueName: "path"),
        completion: .file()
    )
    var listen: String?

    @Option(
        help: ArgumentHelp(
            "Whose behaviour the embedded store has where Xen's daemons differ: c is C xenstored.",
            valueName: "c|oxenstored"
        ),
        transform: Compatibility.named
    )
    var compatibility: Compatibility?

    /// The store that the arguments and the mount options name, or that is found where
    /// libxenstore looks.
    ///
    /// - Throws: ``CommandError``.
    func source(_ options: MountOptions) throws -> StoreSource {
        let socket = try (socket ?? options.store.socket).map(absolutePath)
        let device = try (device ?? options.store.device).map(absolutePath)
        let isEmbedded = embedded || options.store.isEmbedded
        let load = load ?? options.store.load
        let listen = try (listen ?? options.store.listen).map(absolutePath)
        let named = [socket != nil, device != nil, isEmbedded].filter { $0 }.count
        guard named <= 1 else {
            throw CommandError(
                "--socket, --device and --embedded exclude each other",
                status: CommandError.usage
            )
        }
        guard isEmbedded || (load == nil && listen == nil && compatibility == nil) else {
            throw CommandError(
                "--load, --listen and --compatibility need --embedded",
                status: CommandError.usage
            )
        }
        if isEmbedded {
            return .embedded(load: load, listen: listen, as: compatibility ?? .xenstored)
        }
        if let socket { return .remote(.socket(socket)) }
        if let device { return .remote(.device(device)) }
        return .remote(try StoreSource.find())
    }
}

extension Compatibility {
    /// What an argument names.
    ///
    /// - Throws: `ValidationError`.
    static func named(_ argument: String) throws -> Self {
        guard let compatibility = Self(rawValue: argument) else {
            throw ValidationError("it is 'c' or 'oxenstored'")
        }
        return compatibility
    }
}
