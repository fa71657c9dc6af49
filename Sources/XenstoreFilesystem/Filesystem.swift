import Logging
public import XenstoreProtocol

/// The store as a filesystem: what every path, read, write, rename and attribute means.
///
/// Knows nothing of the kernel's interface. Belongs to one thread; where an operation awaits the
/// store, others run.
public final class Filesystem<Access: XenstoreAccess>: FilesystemOperations {
    /// The way to the store of what the kernel tells by itself: its changes are our own.
    let access: LocalChangeRecorder<Access>
    let options: FilesystemOptions
    let environment: FilesystemEnvironment
    /// The names that lead to the mount's root.
    private let rootDepth: Int
    /// Whether what was done in a transaction can be taken back. In a transaction within one it
    /// cannot.
    let rollsBack: Bool
    /// Where the store allows few transactions, and so each waits for its turn.
    let turns: TransactionTurns?

    let keys: KeyTable
    var scratch = ScratchTable()
    var streams = StreamTable()
    /// The special paths that the connection has a watch of.
    var specialWatches: Set<XenstorePath> = []
    /// Watches whose first event is to come, which tells of no change.
    var firstEvents: Set<XenstorePath> = []
    var files = HandleTable<OpenHandle>()
    var directories = HandleTable<OpenDirectory>()
    var changes = ChangeLog()
    var notifier = ChangeNotifier()
    /// Names that programs have looked up or look up now: the agent keeps out of their way.
    var lookups = (begun: 0, ended: 0)
    var eventRate = EventRate()
    var foreseen = ForeseenEvents()
    /// Local changes, those that this mount makes itself, begun or made.
    var localChangeCount = 0
    var threadStats = ThreadStatCache()
    var readdirHints = ReaddirHints()
    var readaheads: [ReadaheadKey: OpenDirectory] = [:]
    /// The leases that were granted last to threads which have not acknowledged them: they have
    /// made no call since.
    var unacknowledged: [CallerID: Lease] = [:]
    /// How many leases were given, and how many were taken back.
    var leases = (granted: 0, revoked: 0)
    /// How many files the store was asked about ahead of a program, and how many of these the
    /// program then wanted.
    var readahead = (asked: 0, used: 0)
    /// When keys were last changed of which the kernel kept the content, by their numbers.
    var recentlyModified: [UInt64: Duration] = [:]
    /// The keys that threads were told to look up again when they opened them, until they do.
    var staleOpens: [CallerID: UInt64] = [:]
    let injected = InjectedSize()
    /// Since when the reads of threads by way of the kernel's cache are interrupted, until they ask
    /// for attributes.
    var interruptedReads: [CallerID: Duration] = [:] { didSet { noteRetries() } }
    /// Threads that look a name up again, as they could not open what the kernel had there.
    var openRetries = OpenRetries() { didSet { noteRetries() } }
    /// The agent waits here for programs that are about to read.
    let quiet = Quiet()
    /// Threads that look a name up again, as the key has the other shape by now.
    var nameRetries: Set<CallerID> = [] { didSet { noteRetries() } }
    /// Whether there is any of these threads: nearly each call of a program asks.
    private(set) var isRetrying = false
    /// Keys of which no lease is given at this moment, by the number of reasons.
    var invalidating: [UInt64: Int] = [:]
    /// Those that the agent's calls are about.
    var injecting: [KeyNode] = []
    /// How often the kernel was made to drop what a local change has made untrue, and up to which
    /// it has.
    var localInvalidations = (made: 0, done: 0)
    /// Whether a watch keeps names, shapes and permissions true.
    var isWatching = false

    public init(
        _ access: Access,
        options: FilesystemOptions = FilesystemOptions(),
        environment: FilesystemEnvironment,
        rollsBack: Bool = true
    ) {
        self.access = LocalChangeRecorder(access)
        self.rollsBack = rollsBack
        turns = options.asksForWriting ? TransactionTurns(after: environment.after) : nil
        self.options = options
        rootDepth = options.subtree.components.count
        self.environment = environment
        keys = KeyTable(
            root: options.subtree,
            emptyKeyKind: options.emptyKeyKind,
            now: environment.now()
        )
        self.access.onChange = { [unowned self] requests in noteLocalChange(requests) }
    }

    /// The names that lead from the mount's root to a key below it.
    func names(to path: XenstorePath) -> ArraySlice<Substring> {
        path.components.dropFirst(rootDepth)
    }

    private func noteRetries() {
        isRetrying = !(interruptedReads.isEmpty && openRetries.isEmpty && nameRetries.isEmpty)
    }

    // MARK: Numbers

    func find(_ inode: InodeNumber) throws(FilesystemError) -> (node: KeyNode, kind: FileKind) {
        guard let (node, kind) = keys.find(inode) else {
            if let made = scratch.directory(inode) { return (made.node, .directory) }
            throw streams.find(inode) == nil ? .stale : .notPermitted
        }
        guard node.isUnlinked, let replacement = replacement(of: node) else { return (node, kind) }
        return (replacement, kind)
    }

    /// The node that has taken the place of one, where a program has a file open that was made
    /// with the old one.
    private func replacement(of node: KeyNode) -> KeyNode? {
        var replacement: KeyNode?
        files.forEach { handle in
            if case .key(let file) = handle, file.formerNode === node { replacement = file.node }
        }
        return replacement
    }

    /// The directory that an operation on a name is about.
    func findDirectory(_ inode: InodeNumber) throws(FilesystemError) -> KeyNode {
        let (node, kind) = try find(inode)
        guard kind == .directory else { throw .notDirectory }
        return node
    }

    public func forget(_ inode: InodeNumber, count: UInt64) {
        guard !streams.forget(inode, count: count) else { return }
        guard let (node, kind) = keys.find(inode) else { return }
        node.removeLookups(count, kind)
        keys.dropUnused(node)
    }

    public func knownDirectory(_ name: String, in directory: InodeNumber) -> InodeNumber? {
        let key: String
        switch NameMeaning(name) {
        case .key(let name), .children(let name): key = name
        default: return nil
        }
        guard let parent = try? findDirectory(directory), let node = keys.child(key, of: parent),
            node.directoryLookups > 0
        else { return nil }
        return node.inode(.directory)
    }

    /// The key is there, says the store, or this mount has just made it.
    func markExists(_ node: KeyNode) {
        node.isGone = false
        guard notifier.wantsToKnow else { return }
        var node = node
        // And so is all that is above it.
        while let parent = node.parent {
            notifier.markExists(node.name, in: parent)
            node = parent
        }
    }

    /// Logs why inotify is called for a change, or is not.
    func logInotify(_ text: @autoclosure () -> String) {
        environment.logs.inotify.debug("\(text())")
    }

    // MARK: Errors

    /// Sends a request about a key.
    func send(_ request: Request, at path: XenstorePath) async throws(FilesystemError) -> [UInt8] {
        // What was asked for before a change may not hold after it.
        let changes = request.isReadOnly ? 0 : 1
        localChangeCount += changes
        defer { localChangeCount += changes }
        do throws(XenstoreError) {
            return try await access.send(request, in: .none)
        } catch {
            throw FilesystemError(error, at: path)
        }
    }

    /// The permissions of a key, as the store says now.
    func permissions(at path: XenstorePath) async throws(FilesystemError) -> Permissions {
        let payload = try await send(.getPermissions(path), at: path)
        guard let permissions = Permissions(payload: payload) else { throw .inputOutput }
        return permissions
    }

    /// Runs `body` in a transaction, a bounded number of times. A failure that `body` gives back is
    /// thrown when the transaction is gone.
    ///
    /// - Parameter path: the longest path that it is about.
    func transaction<Value>(
        at path: XenstorePath,
        _ body: (TransactionID) async throws(XenstoreError) -> Outcome<Value>
    ) async throws(FilesystemError) -> Value {
        let outcome: Outcome<Value>
        localChangeCount += 1
        defer { localChangeCount += 1 }
        do throws(XenstoreError) {
            outcome = try await access.transaction(
                attempts: FilesystemLimits.transactionAttempts,
                starting: { () throws(XenstoreError) in
                    guard let turns else { return try await access.startTransaction() }
                    return try await turns.start(in: access)
                },
                ended: { turns?.ended() }
            ) { id throws(XenstoreError) in
                let outcome = try await body(id)
                if case .commit = outcome { return .commit(outcome) }
                return .rollback(outcome)
            }
        } catch {
            throw FilesystemError(error, at: path)
        }
        switch outcome {
        case .commit(let value), .unchanged(let value): return value
        case .fail(let error): throw error
        }
    }

    /// Sends, in a transaction, requests that tell whether a change may be made, and the change
    /// with them where it can be taken back: one round trip then, else two.
    ///
    /// - Parameter isAllowed: takes the answers to `questions`.
    /// - Returns: the answers to `changes`; nil where they are not allowed.
    func send(
        _ questions: [Request],
        thenChanges changes: [Request],
        in id: TransactionID,
        if isAllowed: ([Result<[UInt8], XenstoreError>]) throws(XenstoreError) -> Bool
    ) async throws(XenstoreError) -> [Result<[UInt8], XenstoreError>]? {
        guard rollsBack else {
            guard try isAllowed(await access.send(questions, in: id)) else { return nil }
            return await access.send(changes, in: id)
        }
        let answers = await access.send(questions + changes, in: id)
        guard try isAllowed(Array(answers[..<questions.count])) else { return nil }
        return Array(answers[questions.count...])
    }

    func requireWritable() throws(FilesystemError) {
        guard !options.isReadOnly else { throw .readOnly }
    }
}

/// How the body of a transaction ends.
enum Outcome<Value> {
    case commit(Value)
    /// Nothing was to be changed.
    case unchanged(Value)
    case fail(FilesystemError)
}
