import ArgumentParser
import XenstoreClient
import XenstoreProtocol

/// `xsfs wait CONDITION...`
struct WaitCommand: StoreCommand {
    /// The status of timeout(1).
    private static let timedOut = ExitCode(124)

    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait for keys to appear, to go, or to have values.",
        discussion: """
            A condition is one of

              KEY           the key exists
              !KEY          it does not
              KEY=VALUE     it has this value
              KEY!=VALUE    it has another value, or does not exist

            with values as `xsfs write` takes them. Nothing is polled; a store that goes away and \
            comes back is no end.

            Status: 0 when the conditions hold, 124 when the time is over, 1 where the store \
            cannot be asked.
            """
    )

    @Flag(name: [.short, .long], help: "Wait for one of the conditions, not for all at once.")
    var any = false

    @Option(
        name: [.customShort("t", allowingJoined: true), .long],
        help: ArgumentHelp(
            "Give up after so many seconds; without it, never.",
            valueName: "seconds"
        )
    )
    var timeout: Double?

    @OptionGroup(title: "Which store")
    var place: StorePlace

    @Argument(help: "What to wait for.")
    var conditions: [String]

    func validate() throws {
        // Beyond, a duration has no number.
        if let timeout, !(0...1e9).contains(timeout) {
            throw ValidationError("--timeout needs a number of seconds")
        }
    }

    func perform(_ client: Xenstore, _ output: Output) async throws {
        let parsed = try conditions.map(Self.parse)
        do throws(ClientError) {
            try await client.wait(
                until: any ? .any(parsed) : .all(parsed),
                timeout: timeout.map { .seconds($0) }
            )
        } catch {
            throw error.reason == .timedOut ? Self.timedOut : error
        }
    }

    /// Takes a condition apart. No path has `=` or `!` in it.
    private static func parse(_ text: String) throws -> Condition {
        func path(_ part: Substring) throws -> XenstorePath {
            do throws(PathError) {
                return try XenstorePath(keyNamed(String(part)))
            } catch {
                throw CommandError("'\(text)' is no condition: '\(part)' is no key: \(error)")
            }
        }
        guard let sign = text.firstIndex(of: "=") else {
            if text.first == "!" { return .gone(try path(text.dropFirst())) }
            return .exists(try path(text[...]))
        }
        let value = EscapedText.unescape(String(text[sign...].dropFirst()))
        let key = text[..<sign]
        if key.last == "!" { return .not(.value(try path(key.dropLast()), value)) }
        return .value(try path(key), value)
    }
}
