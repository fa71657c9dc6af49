import Testing
import XenstoreFilesystem
import XenstoreProtocol
import XenstoreStore

/// The poker is sent ahead of the store's answer about what has changed: its call waits for that.
/// And it may be faster than a program that is on its way.
@MainActor
@Suite struct ForetoldPokeTests {
    @Test func aWriteIsToldWhenTheStoreHasSaidSo() async throws {
        let world = try await World()
        world.access.isHeld = true
        try await world.other.write(Array("longer".utf8), to: world.path)
        await world.change()
        #expect(world.pokes == ["modify key"])
        let call = await world.touch()
        #expect(world.answer == nil)
        await world.release()
        await call.value
        #expect(try world.answer?.get().size == "longer\n".utf8.count)
        #expect(world.pokes.count == 1)
    }

    @Test func anythingElseIsToldForWhatItIs() async throws {
        let world = try await World()
        world.access.isHeld = true
        try await world.other.remove(world.path)
        await world.change()
        let call = await world.touch()
        await world.release()
        await call.value
        #expect(throws: FilesystemError.busy) { try world.answer?.get() }
        world.filesystem.pokerIsDone()
        #expect(world.pokes.last == "remove key")
    }

    /// The kernel keeps the file locked while the call waits.
    @Test func aSlowStoreKeepsNobodyFromTheFile() async throws {
        let world = try await World()
        world.access.isHeld = true
        try await world.other.write(Array("new".utf8), to: world.path)
        await world.change()
        let call = await world.touch()
        world.passTime()
        await call.value
        #expect(throws: FilesystemError.busy) { try world.answer?.get() }
        // It is told all the same.
        world.filesystem.pokerIsDone()
        await world.release()
        #expect(world.pokes.count == 2)
        await (await world.touch()).value
        #expect(try world.answer?.get().size == "new\n".utf8.count)
    }

    @Test(arguments: [true, false])
    func whoeverWaitsIsFreedWithThePoker(isReplaced: Bool) async throws {
        let world = try await World()
        world.access.isHeld = true
        try await world.other.write(Array("new".utf8), to: world.path)
        await world.change()
        let call = await world.touch()
        if isReplaced {
            world.filesystem.pokerHasStarted()
        } else {
            world.filesystem.pokerHasEnded()
        }
        await call.value
        #expect(throws: FilesystemError.busy) { try world.answer?.get() }
        await world.release()
        #expect(world.pokes.count == (isReplaced ? 2 : 1))
    }

    /// For ENOENT a program's O_CREAT would fail; for ESTALE the kernel looks again, and creates.
    @Test func anOpenLooksAgainWhereThePokerTookTheName() async throws {
        let world = try await World()
        world.access.isHeld = true
        try await world.other.remove(world.path)
        await world.change()
        let open = await world.open()
        await world.releaseFirst()
        world.filesystem.pokerIsDone()
        #expect(world.pokes.last == "remove key")
        try world.filesystem.removeForPoker("key", in: .root)
        await world.release()
        #expect(await open.value == .stale)
    }
}

/// A filesystem that knows `/key`, and what it asks of the world around it.
@MainActor
private final class World {
    let path: XenstorePath
    let access: SlowAccess
    let other: InProcessConnection
    private(set) var filesystem: Filesystem<SlowAccess>
    private let outside = Outside()
    private let inode: InodeNumber
    private var underWay: [Task<Void, Never>] = []
    /// What the poker's last call was answered.
    private(set) var answer: Result<Attributes, FilesystemError>?

    private final class Outside {
        var started: [() async -> Void] = []
        var timers: [() -> Void] = []
        var pokes: [Poke] = []
    }

    var pokes: [String] { outside.pokes.map { "\($0.kind) \($0.path)" } }

    init() async throws {
        let host = StoreHost(store: Store())
        access = SlowAccess(InProcessConnection(host: host))
        other = InProcessConnection(host: host)
        path = try XenstorePath.root.appending("key")
        try await other.write(Array("old".utf8), to: path)
        filesystem = Filesystem(
            access,
            options: FilesystemOptions(),
            environment: FilesystemEnvironment(
                now: { Timestamp(seconds: 1, nanoseconds: 0) },
                elapsed: { .zero },
                start: { [outside] work in outside.started.append(work) },
                later: { work in work() },
                after: { [outside] _, work in outside.timers.append(work) },
                notify: { _ in },
                report: { text in Issue.record("\(text)") },
                takeEvents: { true },
                poke: { [outside] pokes in outside.pokes += pokes }
            )
        )
        await filesystem.connected()
        while !outside.started.isEmpty { await outside.started.removeFirst()() }
        filesystem.pokerHasStarted()
        let caller = CallerID(rawValue: 1)
        // The children of the root are known, and the key.
        let root = try await filesystem.openDirectory(.root, by: caller)
        _ = try await filesystem.list(root, offset: 0) { _ in true }
        inode = try await filesystem.lookup("key", in: .root, by: caller).attributes.inode
    }

    /// An event tells of a change, and the store is asked.
    func change() async {
        filesystem.changed(path)
        let started = outside.started
        outside.started = []
        for work in started { underWay.append(Task { await work() }) }
        while !access.isAsked { await Task.yield() }
    }

    /// The poker's call comes.
    func touch() async -> Task<Void, Never> {
        answer = nil
        let call = Task {
            do throws(FilesystemError) {
                answer = .success(try await filesystem.touchForPoker(inode))
            } catch {
                answer = .failure(error)
            }
        }
        // All of this is on one actor: the call goes first.
        await Task.yield()
        return call
    }

    /// A program opens the key to write to it.
    ///
    /// - Returns: its error.
    func open() async -> Task<FilesystemError?, Never> {
        let call = Task { () -> FilesystemError? in
            do throws(FilesystemError) {
                _ = try await filesystem.open(inode, .write, by: CallerID(rawValue: 2))
                return nil
            } catch {
                return error
            }
        }
        while !access.isAskedTwice { await Task.yield() }
        return call
    }

    /// The store answers the question about the change, and nothing else yet.
    func releaseFirst() async {
        access.releaseFirst()
        for task in underWay { await task.value }
        underWay = []
    }

    /// The store answers.
    func release() async {
        access.release()
        for task in underWay { await task.value }
        underWay = []
    }

    func passTime() {
        for work in outside.timers { work() }
    }
}

/// A store that answers when it is told to.
private final class SlowAccess: XenstoreAccess {
    private let base: InProcessConnection
    var isHeld = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ base: InProcessConnection) { self.base = base }

    var payloadLimit: Int { ProtocolLimits.payloadSize }

    func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        if isHeld { await withCheckedContinuation { waiting.append($0) } }
        return try await base.send(request, in: transaction)
    }

    func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        if isHeld { await withCheckedContinuation { waiting.append($0) } }
        return await base.send(requests, in: transaction)
    }

    func post(_ request: Request, in transaction: TransactionID) {
        base.post(request, in: transaction)
    }

    /// Whether a question waits for its answer.
    var isAsked: Bool { !waiting.isEmpty }

    var isAskedTwice: Bool { waiting.count > 1 }

    func releaseFirst() {
        waiting.removeFirst().resume()
    }

    func release() {
        isHeld = false
        for waiter in waiting { waiter.resume() }
        waiting = []
    }
}
