import ArgumentParser
import Synchronization
import XenstoreClient
import XenstoreProtocol

/// `xsfs watch KEY...`
struct WatchCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Print the paths that change at keys and below them.",
        discussion: """
            A line for each event. One of each watched key comes at once, and again when a store \
            that went away is back. Changes that follow each other closely may be one event. \
            @introduceDomain and @releaseDomain can be watched, too.

            Status: 0 after as many events as -n says, 1 where a key cannot be watched.
            """
    )

    @Option(
        name: [.customShort("n", allowingJoined: true), .long],
        help: ArgumentHelp("End after so many events; without it, never.", valueName: "count")
    )
    var number: Int?

    @Option(
        name: [.customShort("d", allowingJoined: true), .long],
        help: ArgumentHelp(
            "Levels below the keys that count, 0 for the keys alone; without it, all.",
            valueName: "levels"
        )
    )
    var depth: UInt32?

    @Flag(help: "Print an object for each event, in a line.")
    var json = false

    @OptionGroup(title: "Which store")
    var place: StorePlace

    @Argument(
        help: "Keys, absolute or below the own domain's home; they need not exist.",
        transform: keyNamed
    )
    var keys: [String]

    func validate() throws {
        if let number, number < 0 { throw ValidationError("-n needs a number of events") }
    }

    func perform(_ client: Xenstore, _ output: Output) async throws {
        let printer = EventPrinter(output, count: number, json: json)
        // What comes while the others are being set waits in its stream.
        var streams: [WatchStream] = []
        for key in keys { streams.append(try await client.watch(key, depth: depth)) }
        guard number != 0 else { return }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for stream in streams {
                group.addTask {
                    for try await path in stream {
                        guard try printer.take(path) else { return }
                    }
                }
            }
            // The first to end has printed the last event, or failed.
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}

/// Prints events, up to a number of them.
private final class EventPrinter: Sendable {
    private let output: Output
    private let json: Bool
    private let missing: Mutex<Int>?

    init(_ output: Output, count: Int?, json: Bool) {
        self.output = output
        self.json = json
        missing = count.map { Mutex($0) }
    }

    /// Prints an event at once.
    ///
    /// - Returns: false if it was the last.
    func take(_ path: XenstorePath) throws(CommandError) -> Bool {
        let number = missing?.withLock { count in
            count -= 1
            return count
        }
        if let number, number < 0 { return false }
        try output.write(json ? "{\"path\": \(JSONText.string(path.text))}\n" : "\(path)\n")
        try output.flush()
        return number != 0
    }
}
