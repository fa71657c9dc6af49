import FilesystemScenarios
import Testing
import XenstoreFilesystem
import XenstoreProtocol
import XenstoreStore

/// A guest's mount shares ten transactions, and one more, with the kernel and other programs of
/// its domain.
@MainActor
@Suite(.timeLimit(.minutes(1))) struct TransactionTurnTests {
    @Test func fewAreOpenAtATimeFirstComeFirstServed() async throws {
        let guest = try await GuestMount()
        guest.access.isHeld = true
        guest.access.startsAtOnce = true
        let calls = await guest.makeDirectories(20)
        #expect(guest.access.open == FilesystemLimits.transactionsAtOnce)
        await guest.answerAll(until: calls)
        for call in calls { try await call.value }
        #expect(guest.access.mostOpen == FilesystemLimits.transactionsAtOnce)
        #expect(guest.access.made == (0..<20).map { "/d/k\($0)" })
        #expect(guest.access.open == 0)
    }

    @Test func whoIsInterruptedLeavesTheQueue() async throws {
        let guest = try await GuestMount()
        guest.access.isHeld = true
        let calls = await guest.makeDirectories(8)
        calls[5].cancel()
        await #expect(throws: FilesystemError.interrupted) { try await calls[5].value }
        calls[0].cancel()
        await guest.answerAll(until: calls)
        await #expect(throws: FilesystemError.interrupted) { try await calls[0].value }
        for (index, call) in calls.enumerated() where ![0, 5].contains(index) {
            try await call.value
        }
        #expect(guest.access.open == 0)
    }

    @Test func aChangeWaitsWhileOthersHaveAllTransactions() async throws {
        let guest = try await GuestMount()
        let held = try await guest.takeAllElsewhere()
        let call = guest.makeDirectory("k")
        for _ in 0..<10 { await guest.passTime() }
        #expect(guest.access.made.isEmpty)
        guest.elsewhere.post(.transactionEnd(commit: false), in: held[3])
        await guest.passTime()
        try await call.value
        #expect(guest.access.made == ["/d/k"])
    }

    @Test func thatWaitHasAnEnd() async throws {
        let guest = try await GuestMount()
        let held = try await guest.takeAllElsewhere()
        let calls = await guest.makeDirectories(6)
        while await guest.passTime() {}
        for call in calls {
            await #expect(throws: FilesystemError.again) { try await call.value }
        }
        let waited = guest.waited
        #expect(waited >= FilesystemLimits.transactionPatience, "\(waited)")
        #expect(waited < FilesystemLimits.transactionPatience * 1.1, "\(waited)")
        #expect(guest.access.made.isEmpty)
        // The next begins to wait from the start.
        let next = guest.makeDirectory("next")
        await guest.passTime()
        guest.elsewhere.post(.transactionEnd(commit: false), in: held[0])
        await guest.passTime()
        try await next.value
    }

    @Test func whoWaitsForTheStoreCanBeInterrupted() async throws {
        let guest = try await GuestMount()
        _ = try await guest.takeAllElsewhere()
        let call = guest.makeDirectory("k")
        await guest.passTime()
        call.cancel()
        await #expect(throws: FilesystemError.interrupted) { try await call.value }
    }

    @Test func thoseThatUsersOpenLeaveOneFree() async throws {
        let guest = try await GuestMount()
        var names: [String] = []
        while names.count < 20, try await guest.begin("t\(names.count)") == nil {
            names.append("t\(names.count)")
        }
        #expect(names.count == 10)
        #expect(try await guest.begin("more") == .noSpace)
        #expect(guest.access.open == 10)
        for index in 0..<3 { try await guest.makeDirectory("k\(index)").value }
        try await guest.filesystem.asked(.rmdir, .name("t4", in: guest.transactions))
            .removeDirectory("t4", in: guest.transactions)
        #expect(try await guest.begin("more") == nil)
    }

    @Test func theyWaitForChangesThatAreUnderWay() async throws {
        let guest = try await GuestMount()
        for index in 0..<9 { #expect(try await guest.begin("t\(index)") == nil) }
        guest.access.isHeld = true
        let changes = await guest.makeDirectories(4)
        let last = Task { try await guest.begin("last") }
        await guest.answerAll(until: changes)
        for change in changes { try await change.value }
        guest.access.hold(false)
        while guest.access.isAsked { guest.access.releaseFirst() }
        while await guest.passTime() {}
        #expect(try await last.value == nil)
    }
}

/// The mount of domain 5, which owns `/d`.
@MainActor
private final class GuestMount {
    let access: CountingAccess
    /// Another program of the domain.
    let elsewhere: InProcessConnection
    let filesystem: MountedFilesystem<CountingAccess>
    private(set) var transactions = InodeNumber.root
    private var directory = InodeNumber.root
    private let caller = CallerID(rawValue: 1)
    private let timers: Timers

    private final class Timers {
        var waiting: [(Duration, () -> Void)] = []
    }

    /// Calls that have ended.
    private var ended = 0
    /// How long it has waited in all.
    private(set) var waited = Duration.zero

    init() async throws {
        let host = StoreHost(store: Store())
        let path = try XenstorePath.root.appending("d")
        let privileged = InProcessConnection(host: host)
        try await privileged.write([], to: path)
        let permissions = Permissions(owner: DomainID(5))
        try await privileged.setPermissions(permissions, of: path)
        try await privileged.setPermissions(
            Permissions(owner: .privileged, everyone: .read),
            of: .root
        )
        elsewhere = InProcessConnection(host: host, as: DomainID(5))
        access = CountingAccess(InProcessConnection(host: host, as: DomainID(5)))
        let timers = Timers()
        self.timers = timers
        filesystem = MountedFilesystem(
            access,
            options: FilesystemOptions(emptyKeyKind: .directory, asksForWriting: true),
            environment: FilesystemEnvironment(
                now: { Timestamp(seconds: 1, nanoseconds: 0) },
                elapsed: { .zero },
                start: { _ in },
                later: { work in work() },
                after: { delay, work in timers.waiting.append((delay, work)) },
                invalidate: { _, _ in },
                report: { text in Issue.record("\(text)") },
                takeEvents: { true }
            )
        )
        await filesystem.connected()
        directory = try await look("d")
        transactions = try await look(".txn")
    }

    private func look(_ name: String) async throws -> InodeNumber {
        try await filesystem.asked(.lookup, .name(name, in: .root))
            .lookup(name, in: .root, by: caller).attributes.inode
    }

    /// Begins to make a key in `/d`.
    func makeDirectory(_ name: String) -> Task<Void, any Error> {
        Task {
            defer { ended += 1 }
            _ = try await filesystem.asked(.mkdir, .name(name, in: directory))
                .makeDirectory(name, in: directory, by: caller)
        }
    }

    /// Begins to make keys in `/d`, one after the other.
    func makeDirectories(_ count: Int) async -> [Task<Void, any Error>] {
        var calls: [Task<Void, any Error>] = []
        for index in 0..<count {
            calls.append(makeDirectory("k\(index)"))
            for _ in 0..<100 { await Task.yield() }
        }
        return calls
    }

    /// Begins a transaction by name.
    ///
    /// - Returns: why not.
    func begin(_ name: String) async throws -> FilesystemError? {
        do throws(FilesystemError) {
            _ = try await filesystem.asked(.mkdir, .name(name, in: transactions))
                .makeDirectory(name, in: transactions, by: caller)
            return nil
        } catch {
            return error
        }
    }

    /// Has another program of the domain take all transactions that the store gives it.
    func takeAllElsewhere() async throws -> [TransactionID] {
        var held: [TransactionID] = []
        while let id = try? await elsewhere.startTransaction() { held.append(id) }
        #expect(held.count == 11)
        return held
    }

    /// Lets all timers ring that are set.
    ///
    /// - Returns: whether there were any.
    @discardableResult
    func passTime() async -> Bool {
        for _ in 0..<100 { await Task.yield() }
        let due = timers.waiting
        timers.waiting = []
        waited += due.map(\.0).max() ?? .zero
        for (_, work) in due { work() }
        for _ in 0..<100 { await Task.yield() }
        return !due.isEmpty
    }

    /// Has the store answer, a request at a time, until all calls have ended.
    func answerAll(until calls: [Task<Void, any Error>]) async {
        // Nobody awaits them: who is awaited would be moved to the front.
        while ended < calls.count {
            if access.isAsked { access.releaseFirst() }
            for _ in 0..<100 { await Task.yield() }
        }
    }
}

/// A store that answers when a test lets it, and what was asked of it.
private final class CountingAccess: XenstoreAccess {
    private let slow: SlowAccess
    private let base: InProcessConnection
    /// Whether transactions start without waiting.
    var startsAtOnce = false
    /// Transactions that are open.
    private(set) var open = 0
    private(set) var mostOpen = 0
    /// The keys that were made, in the order of the first tries.
    private(set) var made: [String] = []

    init(_ base: InProcessConnection) {
        self.base = base
        slow = SlowAccess(base)
    }

    var payloadLimit: Int { slow.payloadLimit }
    var isAsked: Bool { slow.isAsked }
    var isHeld: Bool {
        get { slow.isHeld }
        set { slow.isHeld = newValue }
    }

    func releaseFirst() { slow.releaseFirst() }
    func hold(_ isHeld: Bool) { slow.hold(isHeld) }

    func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        // Whatever comes of it.
        defer { if case .transactionEnd = request { open -= 1 } }
        let answer: [UInt8]
        if startsAtOnce, case .transactionStart = request {
            answer = try await base.send(request, in: transaction)
        } else {
            answer = try await slow.send(request, in: transaction)
        }
        if case .transactionStart = request {
            guard !Task.isCancelled else {
                // As a connection does.
                slow.post(.transactionEnd(commit: false), in: try number(answer))
                throw .cancelled
            }
            open += 1
            mostOpen = max(mostOpen, open)
        }
        return answer
    }

    private func number(_ answer: [UInt8]) throws(XenstoreError) -> TransactionID {
        guard let number = UInt32(String(decoding: answer.dropLast(), as: UTF8.self)) else {
            throw .malformedReply
        }
        return TransactionID(number)
    }

    func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        let answers = await slow.send(requests, in: transaction)
        // Siblings conflict, and are made again.
        for case .makeDirectory(let path) in requests where !made.contains(path.text) {
            made.append(path.text)
        }
        return answers
    }

    func post(_ request: Request, in transaction: TransactionID) {
        if case .transactionEnd = request { open -= 1 }
        slow.post(request, in: transaction)
    }
}
