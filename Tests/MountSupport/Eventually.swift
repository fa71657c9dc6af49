/// Why a test cannot go on.
public struct TestFailure: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}

/// How long anything may take that takes no time on an idle machine: it is an error when it does
/// not come, and not when it comes late. A busy machine may need seconds to start a program.
public let patience = Duration.seconds(60)

/// Looks again and again until a condition holds, with short pauses: the one place where the tests
/// sleep.
///
/// - Returns: whether it held before the time was over.
public func becomesTrue(
    within limit: Duration,
    _ condition: () async throws -> Bool
) async throws -> Bool {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    var pause = Duration.milliseconds(1)
    while true {
        if try await condition() { return true }
        guard clock.now < deadline else { return false }
        try await Task.sleep(for: pause)
        pause = min(pause * 2, .milliseconds(16))
    }
}

/// Waits for a condition, and fails when it does not come true.
public func eventually(
    _ what: String,
    within limit: Duration = patience,
    _ condition: () async throws -> Bool
) async throws {
    guard try await becomesTrue(within: limit, condition) else {
        throw TestFailure("after \(limit) still not so: \(what)")
    }
}

/// Lets so many through at a time: each of these tests runs three to ten processes, and the test
/// library would begin all tests at once.
actor Slots {
    static let shared = Slots(count: 4)

    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(count: Int) {
        free = count
    }

    func enter() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func leave() {
        if waiting.isEmpty {
            free += 1
        } else {
            waiting.removeFirst().resume()
        }
    }
}
