import Glibc
public import XenstoreFilesystem

/// A claim about the filesystem that holds on every surface and over every store.
///
/// Keys are made below `/t`, which is empty when a scenario starts.
public struct Scenario: Sendable, CustomStringConvertible {
    /// The claim, in words.
    public let claim: String
    /// Whether the mount shows values raw.
    public let options: FilesystemOptions
    public let run: @Sendable (any Surface) async throws -> Void
    /// Whether it lists more than a message of the kernel's ring holds.
    public let hasLongListing: Bool
    /// Whether it takes thousands of system calls and asks the store nothing, so that on the store
    /// of a slow machine there is nothing to be seen by it.
    public let isOfMemory: Bool
    /// Whether the filesystem must get the events of what others change: inside a transaction it
    /// gets none.
    public let needsEvents: Bool

    init(
        _ claim: String,
        options: FilesystemOptions = FilesystemOptions(),
        hasLongListing: Bool = false,
        isOfMemory: Bool = false,
        needsEvents: Bool = false,
        _ run: @escaping @Sendable (any Surface) async throws -> Void
    ) {
        self.claim = claim
        self.options = options
        self.hasLongListing = hasLongListing
        self.isOfMemory = isOfMemory
        self.needsEvents = needsEvents
        self.run = run
    }

    public var description: String { claim }

    /// Whether it opens transactions itself.
    public var isAboutTransactions: Bool { Self.transactions.contains { $0.claim == claim } }

    /// Whether it is about times.
    public var isAboutTimes: Bool { Self.times.contains { $0.claim == claim } }

    /// All of them; with `XSFS_SCENARIO=WORDS` in the environment, those whose claims have these
    /// words.
    public static let all: [Scenario] = {
        let all =
            values + names + shapes + changes + attributes + renames + scratchFiles + times
            + transactions
        guard let words = getenv("XSFS_SCENARIO").map({ String(cString: $0) }) else { return all }
        let chosen = all.filter { $0.claim.contains(words) }
        precondition(!chosen.isEmpty, "no scenario claims: \(words)")
        return chosen
    }()
}

/// A claim that does not hold.
public struct Broken: Error, CustomStringConvertible {
    public let description: String
}

/// Fails the scenario unless two values are equal.
func expect<Value: Equatable>(
    _ actual: Value,
    _ expected: Value,
    _ what: String = "",
    line: Int = #line
) throws {
    guard actual != expected else { return }
    throw Broken(description: "line \(line) \(what): got \(actual), expected \(expected)")
}

/// Fails the scenario unless `body` fails with this error.
func expectError(
    _ expected: FilesystemError,
    line: Int = #line,
    _ body: () async throws -> Void
) async throws {
    do {
        try await body()
    } catch let error as FilesystemError {
        return try expect(error, expected, line: line)
    }
    throw Broken(description: "line \(line): succeeded, expected \(expected)")
}
