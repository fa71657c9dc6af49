import ChangeNotification
import Testing
import XenstoreFilesystem
import XenstoreProtocol
import XenstoreStore

/// A filesystem that knows `/key`, and what it asks of the world around it.
@MainActor
final class World {
    let path: XenstorePath
    let access: SlowAccess
    let other: InProcessConnection
    private(set) var filesystem: Filesystem<SlowAccess>
    private let outside = Outside()
    let kernel = Kernel()
    let inode: InodeNumber
    private var underWay: [Task<Void, Never>] = []
    /// What the agent's last call was answered.
    private(set) var answer: Result<Attributes, FilesystemError>?

    private final class Outside {
        var started: [() async -> Void] = []
        var timers: [() -> Void] = []
        var calls: [InotifyCall] = []
        var elapsed = Duration.zero
        var leftOut: [String] = []
        private var time: UInt32 = 0

        /// Another moment each time.
        func now() -> Timestamp {
            time += 1
            return Timestamp(seconds: 1, nanoseconds: time)
        }
    }

    /// The time by the clock that is never set.
    var elapsed: Duration {
        get { outside.elapsed }
        set { outside.elapsed = newValue }
    }

    /// Names that listings left out.
    var leftOut: [String] { outside.leftOut }

    var calls: [String] { outside.calls.map { "\($0.operation.name) \($0.path)" } }

    /// - Parameters:
    ///   - values: of keys that are there beside `/key`, by their paths.
    ///   - mayWatch: whether programs can watch files, and so the children of all directories that
    ///     they look up are asked for.
    ///   - isListed: whether the root was listed, and the kernel knows all that is in it.
    ///   - cache: what the kernel may keep.
    ///   - support: what the kernel offers.
    init(
        _ values: [String: String] = [:],
        mayWatch: Bool = false,
        isListed: Bool = true,
        cache: FilesystemOptions.Cache = .strict,
        support: KernelSupport? = nil
    ) async throws {
        let host = StoreHost(store: Store())
        access = SlowAccess(InProcessConnection(host: host))
        other = InProcessConnection(host: host)
        path = try XenstorePath.root.appending("key")
        try await other.write(Array("old".utf8), to: path)
        for (path, value) in values.sorted(by: { $0.key < $1.key }) {
            let path = try XenstorePath(path)
            try await other.write(Array(value.utf8), to: path)
        }
        var environment = FilesystemEnvironment(
            now: { [outside] in outside.now() },
            elapsed: { [outside] in outside.elapsed },
            start: { [outside] work in outside.started.append(work) },
            later: { work in work() },
            after: { [outside] delay, work in
                // Nobody else is on their way.
                guard delay != FilesystemLimits.quietTime else { return work() }
                outside.timers.append(work)
            },
            invalidate: { [kernel] invalidation, _ in kernel.take(invalidation) },
            report: { text in Issue.record("\(text)") },
            takeEvents: { true },
            inject: { [outside] calls in outside.calls += calls },
            mayWatch: { _ in mayWatch }
        )
        environment.kernel = { support }
        environment.leftOut = { [outside] name, _ in outside.leftOut.append(name) }
        filesystem = Filesystem(
            access,
            options: FilesystemOptions(cache: cache),
            environment: environment
        )
        await filesystem.connected()
        while !outside.started.isEmpty { await outside.started.removeFirst()() }
        filesystem.inotifyReplay.agentHasStarted()
        let caller = CallerID(rawValue: 1)
        // The children of the root are known, and the key.
        let root = try await filesystem.openDirectory(.root, by: caller)
        if isListed { _ = try await filesystem.list(root, offset: 0) { _ in true } }
        filesystem.releaseDirectory(root)
        inode = try await filesystem.lookup("key", in: .root, by: caller).attributes.inode
    }

    /// An event tells of a change, and the store is asked.
    func change() async {
        filesystem.changed(path)
        begin()
        while !access.isAsked { await Task.yield() }
    }

    // MARK: Another client

    func write(_ value: String, to path: String) async throws {
        let path = try XenstorePath(path)
        try await other.write(Array(value.utf8), to: path)
    }

    func remove(_ path: String) async throws {
        let path = try XenstorePath(path)
        try await other.remove(path)
    }

    // MARK: The connection

    /// The connection is lost, and its watch with it.
    func disconnect() async throws {
        filesystem.disconnected()
        for path in [XenstorePath.root, .releaseDomain] {
            _ = try await access.send(.unwatch(path, token: filesystem.watchToken), in: .none)
        }
    }

    /// There is a connection again; all that follows from that is done.
    func reconnect() async {
        await filesystem.connected()
        await finish()
    }

    // MARK: What follows

    /// Begins what the filesystem has to do.
    func begin() {
        let started = outside.started
        outside.started = []
        for work in started { underWay.append(Task { await work() }) }
    }

    /// An event tells of a change at a path.
    func tell(of path: String) {
        do {
            filesystem.changed(try XenstorePath(path))
        } catch {
            Issue.record(error)
        }
    }

    /// An event tells of a change at a path; all that follows from it is done.
    func change(at path: String) async throws {
        tell(of: path)
        await finish()
    }

    /// Does what the filesystem has to do, to its end.
    func finish() async {
        while !outside.started.isEmpty { await outside.started.removeFirst()() }
    }

    /// The agent's rmdir(2), as the kernel makes it of a name that it knows.
    func removeDirectory(_ name: String) async throws(FilesystemError) {
        do throws(FilesystemError) {
            try await filesystem.inotifyReplay.unlink(name, in: .root)
        } catch .stale {
            let found = try await filesystem.inotifyReplay.lookup(name, in: .root, by: .nobody)
            #expect(found.nameLifetime == 0)
            var isAnswered = false
            let call = begin { () throws(FilesystemError) in
                defer { isAnswered = true }
                try await self.filesystem.inotifyReplay.unlink(name, in: .root)
            }
            while outside.started.isEmpty, !isAnswered { await Task.yield() }
            begin()
            if let error = await call.value { throw error }
        }
    }

    /// Begins a call.
    ///
    /// - Returns: its error.
    func begin(
        _ call: @escaping @MainActor () async throws(FilesystemError) -> Void
    ) -> Task<FilesystemError?, Never> {
        Task { () -> FilesystemError? in
            do throws(FilesystemError) {
                try await call()
                return nil
            } catch {
                return error
            }
        }
    }

    /// Looks a name in the root up for a program.
    func lookup(_ name: String) async throws(FilesystemError) -> Entry {
        try await filesystem.lookup(name, in: .root, by: CallerID(rawValue: 3))
    }

    /// Exchanges two names in the root. The answer to the commit stays on its way, as do all
    /// answers from then on until ``release()``.
    ///
    /// - Parameter path: a key that has `value` when the store has committed.
    func exchange(
        _ first: String,
        _ second: String,
        until path: XenstorePath,
        is value: String
    ) async throws -> Task<Void, any Error> {
        access.holdsAnswers = true
        let rename = Task {
            let caller = CallerID(rawValue: 1)
            try await filesystem.rename(
                first,
                in: .root,
                to: second,
                in: .root,
                .exchange,
                by: caller
            )
        }
        while try await other.read(path) != Array(value.utf8) {
            if access.isAsked { access.releaseFirst() }
            await Task.yield()
        }
        return rename
    }

    /// What a program is told by stat(2) through a kernel that keeps attributes.
    func status(_ inode: InodeNumber) async throws(FilesystemError) -> Attributes {
        try await kernel.status(inode) { () throws(FilesystemError) in
            try await filesystem.attributes(of: inode, by: CallerID(rawValue: 4))
        }
    }

    /// The agent's call comes.
    func touch() async -> Task<Void, Never> {
        answer = nil
        let call = Task {
            do throws(FilesystemError) {
                answer = .success(
                    try await filesystem.inotifyReplay.setAttributes(
                        AttributeChanges(),
                        of: inode,
                        handle: nil
                    )
                )
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
        let call = begin { () throws(FilesystemError) in
            _ = try await self.filesystem.open(self.inode, .write, by: CallerID(rawValue: 2))
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
        access.hold(false)
        // One after the other, as a loop does: what is awaited would be moved to the front.
        while access.isAsked {
            access.releaseFirst()
            for _ in 0..<100 { await Task.yield() }
        }
        for task in underWay { await task.value }
        underWay = []
    }

    func passTime() {
        for work in outside.timers { work() }
    }
}

/// A store that answers when it is told to.
final class SlowAccess: XenstoreAccess {
    private let base: InProcessConnection
    /// Whether requests wait before they get to the store.
    var isHeld = false
    /// Whether answers wait on their way back.
    var holdsAnswers = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    /// What was asked, each time that the filesystem waited for answers.
    private(set) var sent: [[Request]] = []

    init(_ base: InProcessConnection) { self.base = base }

    var payloadLimit: Int { ProtocolLimits.payloadSize }

    func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        sent.append([request])
        if isHeld { await withCheckedContinuation { waiting.append($0) } }
        let answer = await base.send([request], in: transaction)
        if holdsAnswers { await withCheckedContinuation { waiting.append($0) } }
        return try answer[0].get()
    }

    func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        sent.append(requests)
        if isHeld { await withCheckedContinuation { waiting.append($0) } }
        let answers = await base.send(requests, in: transaction)
        if holdsAnswers { await withCheckedContinuation { waiting.append($0) } }
        return answers
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

    func hold(_ isHeld: Bool) {
        (self.isHeld, holdsAnswers) = (isHeld, false)
    }
}
