import ChangeNotification
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
    /// Whether what was done in a transaction can be taken back. In a transaction within one it
    /// cannot.
    let rollsBack: Bool
    /// Where the store allows few transactions, and so each waits for its turn.
    let turns: TransactionTurns?

    let keys: KeyTable
    var scratch: ScratchTable
    var streams: StreamTable
    /// The special paths that the connection has a watch of.
    var specialWatches: Set<XenstorePath> = []
    /// Watches whose first event is to come, which tells of no change.
    var firstEvents: Set<XenstorePath> = []
    var files: HandleTable<OpenHandle>
    var directories: HandleTable<OpenDirectory>
    let changes = ChangeLog()
    let notifier: ChangeNotifier<WatchedKeys>
    private let watchedKeys: WatchedKeys
    /// Names that programs have looked up or look up now: the agent keeps out of their way.
    var lookups = (begun: 0, ended: 0)
    var threadStats = ThreadStatCache()
    var readdirHints = ReaddirHints()
    var readaheads: [ReadaheadKey: OpenDirectory] = [:]
    /// How many files the store was asked about ahead of a program, and how many of these the
    /// program then wanted.
    var readahead = (asked: 0, used: 0)
    let timestamps: Timestamps
    let kernelCache: KernelCache
    let retries: CallerRetries
    let injected = InjectedSize()

    /// The filesystem of the store itself.
    public convenience init(
        _ access: Access,
        options: FilesystemOptions = FilesystemOptions(),
        environment: FilesystemEnvironment
    ) {
        self.init(
            .store,
            over: access,
            options: options,
            environment: environment,
            rollsBack: true
        )
    }

    /// - Parameter id: whose numbers its inodes and handles have.
    init(
        _ id: FilesystemID,
        over access: Access,
        options: FilesystemOptions,
        environment: FilesystemEnvironment,
        rollsBack: Bool
    ) {
        self.access = LocalChangeRecorder(access)
        self.rollsBack = rollsBack
        turns = options.asksForWriting ? TransactionTurns(after: environment.after) : nil
        self.options = options
        self.environment = environment
        keys = KeyTable(
            of: id,
            root: options.subtree,
            emptyKeyKind: options.emptyKeyKind
        )
        scratch = ScratchTable(of: id)
        streams = StreamTable(of: id)
        files = HandleTable(of: id)
        directories = HandleTable(of: id)
        timestamps = Timestamps(of: keys, changes, environment)
        watchedKeys = WatchedKeys(keys, options.valueForm, timestamps)
        notifier = ChangeNotifier(of: watchedKeys, log: environment.logs.inotify)
        kernelCache = KernelCache.make(options.cache, of: keys, changes, environment)
        retries = CallerRetries(environment)
        self.access.observer = self
        watchedKeys.onRemoved = { [unowned self] node in noteMissing(node) }
    }

    /// The names that lead from the mount's root to a key below it.
    func names(to path: XenstorePath) -> ArraySlice<Substring> {
        keys.names(to: path)
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
            notifier.exists(node.name, in: parent)
            node = parent
        }
    }

    // MARK: Errors

    /// Sends a request about a key.
    func send(_ request: Request, at path: XenstorePath) async throws(FilesystemError) -> [UInt8] {
        // What was asked for before a change may not hold after it.
        let isChange = !request.isReadOnly
        if isChange { changes.noteLocalChange() }
        defer { if isChange { changes.noteLocalChange() } }
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
        changes.noteLocalChange()
        defer { changes.noteLocalChange() }
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
