import ArgumentParser
import XenstoreClient

/// The options that name the store which a command asks.
struct StorePlace: ParsableArguments {
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

    // What the tools of Xen once had: a socket rather than the device.
    @Flag(name: .customShort("s"), help: .hidden)
    var prefersSocket = false

    /// - Throws: ``CommandError`` where no store is found, or two are named.
    func address() throws -> StoreAddress {
        switch (socket, device) {
        case (nil, nil): return try StoreSource.find()
        case (let socket?, nil): return .socket(socket)
        case (nil, let device?): return .device(device)
        case (_?, _?): throw CommandError("--socket and --device exclude each other")
        }
    }
}
