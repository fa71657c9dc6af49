public import Logging
public import XenstoreProtocol

/// Which inotify events are due: the event of a watch says where something has changed, and this
/// finds out what, by what was there before and what the store says now.
///
/// A machine: what happens goes in by methods that are named for it, and what is to be done comes
/// out as ``Action``s. It asks nobody, waits for nothing and has no clock.
public final class ChangeNotifier<Tree: WatchedTree> {
    /// A key that programs may watch.
    public typealias Inode = Tree.Inode
    /// A call that is due.
    public typealias Call = PendingCall<Tree>

    /// What is to be done, in its order.
    public enum Action {
        /// Keys are to be asked about: ``takeBatch(at:)``, when all events that have come are
        /// known, and after ``coalescingDelay(at:)``.
        case revalidate
        /// The agent is to make these calls; if `afterQuestion`, when the questions of the batch
        /// were sent, as their answers take longer than the agent's way.
        case inject([InotifyCall], afterQuestion: Bool)
        /// The calls are to be cancelled after ``NotifierLimits/speculation``: the kernel locks
        /// their files meanwhile, and a store that is slow keeps nobody from them.
        case cancelLater([Call])
        /// All names in a directory are to be asked for, for ``listed(_:in:)``: they fit no
        /// message, or are not known.
        case list(Inode)
        /// All that is in the root is to be asked for: a program may watch it without a question to
        /// us.
        case learnRoot
        /// ``settled(_:)`` is due in a later turn, when all that has come was looked at: the events
        /// of the first `answerCount` local changes have come then.
        case settle(answerCount: Int)
        /// More than ``NotifierLimits/pendingCalls`` wait: some are lost.
        case reportLoss
    }

    /// A key that the store is to be asked about.
    public struct Question {
        public let path: XenstorePath
        /// Whether it is a file, of which READ and GET_PERMS say all.
        public let isOfFile: Bool
        fileprivate let entry: DirtySet<Inode>.Entry
    }

    /// What the store says of a key.
    public enum Answer {
        case found(Tree.Stat)
        case gone
        /// It did not answer, or not to this domain.
        case failed(String)
    }

    /// Whether events are raised at all: there is an agent, and a watch on the store.
    public var isActive = false
    private let tree: Tree
    private let log: Logger
    private var rate = EventRate()
    private var localChanges = LocalChanges()
    /// The batch that is asked about now, or is about to be.
    private var batch = Batch()
    private let emitter: EventEmitter<Tree>

    /// What belongs to the questions that are under way.
    private struct Batch {
        var isUnderWay = false
        /// How many local changes were answered when it was asked for.
        var answerCount = 0
    }

    public init(of tree: Tree, log: Logger) {
        self.tree = tree
        self.log = log
        emitter = EventEmitter(of: tree, log: log)
    }

    // MARK: What the store tells

    /// An event has come. Where no events are raised, only that is noted.
    public func noteEvent(at now: Duration) { rate.noteEvent(at: now) }

    /// Whether many events come, and no flood, whose events gather by themselves.
    public func isSteady(at now: Duration) -> Bool { rate.isSteady(at: now) }

    /// How long changes are to gather: those of one key are one question and one event then.
    public func coalescingDelay(at now: Duration) -> Duration? {
        rate.isHigh(at: now) && !emitter.dirty.hasBatch ? NotifierLimits.coalescingDelay : nil
    }

    /// Something at this path has changed.
    ///
    /// - Parameter names: the names from the mount's root on; none where all of it may have
    ///   changed.
    public func changed(_ path: XenstorePath, _ names: ArraySlice<Substring>) -> [Action] {
        guard isActive else { return [] }
        guard !names.isEmpty else { return anythingChanged() }
        let isOwn = localChanges.contains(path)
        var isAsked = false
        var directory = tree.root
        for (index, name) in names.enumerated() {
            let name = String(name)
            let child = tree.child(name, of: directory)
            let isLast = index == names.count - 1
            if directory.isWatchable || child?.isHeld == true {
                if isLast {
                    isAsked = true
                    log.debug("event of \(path)\(isOwn ? ", our own" : ""): ask what has changed")
                    emitter.markDirty(name, in: directory, isCertain: !isOwn, isAboutShape: false)
                    if let child, !isOwn { markDirectoriesDirty(below: child) }
                } else if let known = directory.watched.snapshot, known[name]?.isDirectory != true {
                    // It is new, or a file that has become a directory: no event tells of it.
                    isAsked = true
                    log.debug("event of \(path): ask whether \(name) above it is new")
                    emitter.markDirty(name, in: directory, isCertain: false, isAboutShape: true)
                }
            }
            guard let child else { break }
            directory = child
        }
        if !isAsked {
            log.debug("event of \(path): the kernel knows no directory that could be watched")
        }
        schedule()
        return emitter.takeActions()
    }

    /// Anything may have changed.
    public func anythingChanged() -> [Action] {
        guard isActive else { return [] }
        log.debug("anything may have changed: ask about all that the kernel knows")
        emitter.markDirty("", in: tree.root, isCertain: false, isAboutShape: true)
        for inode in tree.subtree(of: tree.root) where inode.isWatchable {
            // What is above may not be known, as where this domain may not read it.
            if let parent = inode.parent {
                emitter.markDirty(inode.name, in: parent, isCertain: false, isAboutShape: true)
            }
            for name in inode.watched.snapshot?.childNames ?? [] {
                emitter.markDirty(name, in: inode, isCertain: false, isAboutShape: true)
            }
        }
        schedule()
        return emitter.takeActions()
    }

    /// Keys may have changed, or be gone, without an event.
    public func mayHaveChanged(_ inodes: [Inode]) -> [Action] {
        guard isActive, !inodes.isEmpty else { return [] }
        emitter.markDirty(inodes)
        schedule()
        return emitter.takeActions()
    }

    /// The connection is lost: nothing comes any more that was expected.
    public func disconnected() {
        isActive = false
        emitter.dirty.removeAll()
        localChanges.removeAll()
    }

    /// A removal has one event for all that goes with it, and what was made again since looks the
    /// same.
    private func markDirectoriesDirty(below inode: Inode) {
        guard inode.isKnownAsDirectory else { return }
        for inode in tree.subtree(of: inode).dropFirst() where inode.isKnownAsDirectory {
            guard let parent = inode.parent else { continue }
            emitter.markDirty(inode.name, in: parent, isCertain: false, isAboutShape: true)
        }
    }

    // MARK: Revalidation

    private func schedule() {
        // Without a connection nobody answers, and with the next one all is asked for.
        guard isActive, !emitter.dirty.isEmpty, !batch.isUnderWay else { return }
        batch.isUnderWay = true
        emitter.append(.revalidate)
    }

    /// The keys that the store is to be asked about now, in one batch.
    ///
    /// - Parameter version: of this moment.
    /// - Returns: no questions where nobody would answer: ``endBatch()`` follows then, too.
    public func takeBatch(at version: Tree.Version) -> (questions: [Question], actions: [Action]) {
        guard isActive else { return ([], []) }
        let entries = emitter.beginBatch(at: version)
        batch.answerCount = localChanges.answerCount
        let questions = entries.compactMap { entry in
            // What has lost its place goes with the directory above.
            path(of: entry).map { path in
                let isOfFile = isFile(entry) && !entry.isAboutShape
                return Question(path: path, isOfFile: isOfFile, entry: entry)
            }
        }
        speculate(entries, at: version)
        return (questions, emitter.takeActions())
    }

    /// The store has answered the questions of a batch.
    public func answered(_ answers: [(question: Question, answer: Answer)]) -> [Action] {
        emitter.dirty.batchIsDone()
        if isActive {
            for (question, answer) in answers {
                guard !localChanges.hasAnswered(question.path, since: batch.answerCount) else {
                    // What the store has said may be of the time before, and what is known here is
                    // of the time after, or of what a rename has put there.
                    emitter.dirty.insert(question.entry)
                    continue
                }
                resolve(question, answer)
            }
            takeCalls()
            // The store has sent the events of what it answered before the questions.
            if !answers.isEmpty, localChanges.hasAnswered(upTo: batch.answerCount) {
                emitter.append(.settle(answerCount: batch.answerCount))
            }
        }
        emitter.queue.cancelSpeculative()
        return emitter.takeActions()
    }

    /// All that follows from a batch is done: there may be another one.
    public func endBatch() -> [Action] {
        batch.isUnderWay = false
        schedule()
        return emitter.takeActions()
    }

    /// Sends the agent ahead where a change of content is likely: until its call is here, the store
    /// has answered. A call that is refused raises no event.
    private func speculate(_ entries: [DirtySet<Inode>.Entry], at version: Tree.Version) {
        guard emitter.queue.isIdle, entries.count <= NotifierLimits.speculativeCalls else { return }
        let likely = entries.filter { entry in
            entry.isCertain && !entry.isAboutShape && isFile(entry)
                && tree.child(entry.name, of: entry.directory)?.isKnownAsFile == true
        }
        guard !likely.isEmpty else { return }
        let calls = likely.map { Call(speculating: $0.name, in: $0.directory, asOf: version) }
        for call in calls { _ = emitter.queue.add(call) }
        takeCalls(afterQuestion: true)
        emitter.append(.cancelLater(calls))
    }

    private func isFile(_ entry: DirtySet<Inode>.Entry) -> Bool {
        entry.directory.watched.snapshot?[entry.name]?.isDirectory == false
    }

    private func path(of entry: DirtySet<Inode>.Entry) -> XenstorePath? {
        guard !entry.name.isEmpty else { return tree.path(of: entry.directory) }
        return path(of: entry.name, in: entry.directory)
    }

    private func path(of name: String, in directory: Inode) -> XenstorePath? {
        tree.path(of: directory).flatMap { try? $0.appending(name) }
    }

    private func resolve(_ question: Question, _ answer: Answer) {
        let (entry, path) = (question.entry, question.path)
        guard let place = self.path(of: entry) else { return }
        guard place == path else {
            log.debug("\(path) was moved meanwhile: ask again")
            return emitter.dirty.insert(entry)
        }
        guard !question.isOfFile || isFile(entry) else {
            log.debug("\(path) is no file any more: ask again, and for its children")
            return emitter.dirty.insert(entry)
        }
        let stat: Tree.Stat?
        switch answer {
        case .found(let found): stat = found
        case .gone: stat = nil
        case .failed(let reason):
            // Where the connection is lost, all is asked for again.
            log.debug("\(path): no event, as the store says \(reason)")
            return
        }
        guard !localChanges.isInFlight(path) else {
            log.debug("\(path): a change of our own is on its way: ask again")
            return emitter.dirty.insert(entry)
        }
        let inode = entry.name.isEmpty ? tree.root : tree.child(entry.name, of: entry.directory)
        if let stat, let inode { tree.learned(stat, of: inode, at: path) }
        if entry.name.isEmpty {
            emitter.emitRootChanges(stat)
        } else {
            emitter.emitChanges(entry, stat)
        }
    }

    /// The names in a directory, as ``Action/list(_:)`` asks for them. They may be out of date when
    /// all have come: each of which something else is known is asked for.
    public func listed(_ names: [String], in inode: Inode) -> [Action] {
        guard let known = inode.watched.snapshot, isActive else { return [] }
        for name in Set(names).symmetricDifference(known.childNames) {
            emitter.markDirty(name, in: inode, isCertain: false, isAboutShape: true)
        }
        schedule()
        return emitter.takeActions()
    }

    // MARK: What is known

    /// Whether it matters that a key is there.
    public var wantsToKnow: Bool { batch.isUnderWay || emitter.queue.hasRemovals }

    /// A key is there, says the store, or this mount has just made it. It must not be removed if it
    /// was made again.
    public func exists(_ name: String, in directory: Inode) {
        guard wantsToKnow else { return }
        emitter.exists(name, in: directory, isAsked: batch.isUnderWay)
    }

    // MARK: Local changes

    /// This mount changes a key for a program, and the kernel raises the events by itself.
    ///
    /// - Parameter coversBelow: whether all below the key goes with it.
    /// - Returns: a number for ``localChangeIsAnswered(_:)``.
    public func beginLocalChange(_ path: XenstorePath, coversBelow: Bool) -> Int {
        localChanges.begin(path, coversBelow: coversBelow)
    }

    /// The store has answered it.
    ///
    /// - Parameter isDone: whether it has carried it out: else no event comes of it.
    public func localChangeIsAnswered(_ number: Int, isDone: Bool) {
        localChanges.answered(number, isDone: isDone)
    }

    /// The turn has come that ``Action/settle(answerCount:)`` waits for: another event at these
    /// paths is that of another client.
    public func settled(_ answerCount: Int) { localChanges.removeAnswered(upTo: answerCount) }

    /// Whether the event of a change at this path may be that of a local change.
    public func hasLocalChange(at path: XenstorePath) -> Bool { localChanges.contains(path) }

    /// The store has carried out a local change.
    ///
    /// - Parameter names: the names that lead from the mount's root to the key.
    public func localChange(_ request: Request, at names: ArraySlice<Substring>) {
        guard let last = names.last.map(String.init) else {
            switch request {
            case .write(_, let value): emitter.rootFingerprint?.set(value: value)
            case .setPermissions(_, let permissions):
                emitter.rootFingerprint?.set(permissions: permissions)
            default: break
            }
            return
        }
        let isRemoval = if case .remove = request { true } else { false }
        var directory = tree.root
        for name in names.dropLast() {
            if !isRemoval { exists(String(name), in: directory) }
            guard let child = tree.child(String(name), of: directory) else { return }
            directory = child
        }
        if !isRemoval { exists(last, in: directory) }
        guard let snapshot = directory.watched.snapshot else { return }
        guard !isRemoval else { return snapshot[last] = nil }
        var fingerprint = snapshot[last] ?? .unknown
        switch request {
        case .write(_, let value): fingerprint.set(value: value)
        case .makeDirectory where !fingerprint.isKnown: fingerprint.set(value: [])
        case .setPermissions(_, let permissions): fingerprint.set(permissions: permissions)
        default: break
        }
        snapshot[last] = fingerprint
    }

    /// A program has given a key another name, or exchanged two: what is known of it goes along.
    public func localMove(
        of name: String,
        in source: Inode,
        to newName: String,
        in target: Inode,
        exchanges: Bool
    ) {
        let moved = source.watched.snapshot?[name]
        let replaced = target.watched.snapshot?[newName]
        source.watched.snapshot?[name] = exchanges ? replaced ?? .unknown : nil
        target.watched.snapshot?[newName] = moved ?? .unknown
    }

    // MARK: The agent

    /// Calls that the agent was given, and those that wait.
    public var callCounts: (sent: Int, waiting: Int) {
        (emitter.queue.sentCount, emitter.queue.waitingCount)
    }

    /// There is an agent, or another one.
    public func agentHasStarted() -> [Action] {
        emitter.queue.started()
        takeCalls()
        return emitter.takeActions()
    }

    /// The agent has made all calls of its batch.
    public func agentIsDone() -> [Action] {
        emitter.queue.done()
        takeCalls()
        return emitter.takeActions()
    }

    /// There is no agent any more, and there will be none.
    public func agentHasEnded() { emitter.queue.ended() }

    /// The call at the agent that a request about this name belongs to.
    public func call(for name: String, in directory: Inode) -> Call? {
        emitter.queue.find(name, in: directory)
    }

    /// The call at the agent that a request about this key belongs to.
    public func call(for inode: Inode, isDirectory: Bool) -> Call? {
        emitter.queue.find(inode, isDirectory: isDirectory)
    }

    /// The kernel has carried a call out, or refuses it for good.
    public func finish(_ call: Call) { call.progress.isDone = true }

    /// The agent has made a directory: it is known by its names.
    public func made(_ inode: Inode, by call: Call) {
        if let names = call.childNames, inode.watched.snapshot == nil {
            inode.watched.snapshot = DirectorySnapshot(names: names)
        }
    }

    /// A key that was made again since its removal was found may be in use: a program's working
    /// directory. Its removal raises no event.
    ///
    /// - Returns: what is to be done then; nil where the call may be made.
    public func refuse(_ call: Call) -> [Action]? {
        guard isRefused(call) else { return nil }
        return leave(call)
    }

    private func isRefused(_ call: Call) -> Bool {
        guard call.isRemoval, !call.isOwnValue else { return false }
        return call.isMadeAgain || isBeingMade(call)
    }

    /// Whether this mount makes the key, or one below it, at this moment.
    private func isBeingMade(_ call: Call) -> Bool {
        path(of: call.name, in: call.directory).map { localChanges.isCreating($0) } ?? false
    }

    /// A removal raises no event now. If the key is gone after all, it does so later.
    public func leave(_ call: Call) -> [Action] {
        leaveNow(call)
        return emitter.takeActions()
    }

    private func leaveNow(_ call: Call) {
        guard !call.progress.isDone else { return }
        log.debug("\(call.operation.name) \(call.name): not now, as the key is there again")
        call.progress.isDone = true
        if call.directory.watched.snapshot?[call.name] == nil {
            let unknown = DirectorySnapshot.Fingerprint.unknown(isDirectory: call.isOfDirectory)
            call.directory.watched.snapshot?[call.name] = unknown
        }
        guard isActive else { return }
        emitter.markDirty(call.name, in: call.directory, isCertain: false, isAboutShape: true)
        schedule()
    }

    /// Gives the agent its next batch, if it has nothing to do.
    private func takeCalls(afterQuestion: Bool = false) {
        while true {
            let batch = emitter.queue.takeBatch()
            guard !batch.isEmpty else { return }
            var calls: [InotifyCall] = []
            for call in batch {
                // Even a refused rmdir(2) makes the kernel forget what is below.
                if isRefused(call) {
                    leaveNow(call)
                } else if let path = pathOnMount(of: call) {
                    calls.append(InotifyCall(call.operation, at: path))
                }
            }
            guard calls.isEmpty else {
                return emitter.append(.inject(calls, afterQuestion: afterQuestion))
            }
            // All of their directories are gone.
            emitter.queue.done()
        }
    }

    /// The path from the mount's root on; nil where the directory has lost its place.
    public func pathOnMount(of call: Call) -> String? {
        guard !call.name.isEmpty else { return "." }
        var names = [call.name]
        var inode = call.directory
        while !inode.isRoot {
            guard let parent = inode.parent else { return nil }
            names.append(inode.name)
            inode = parent
        }
        return names.reversed().joined(separator: "/")
    }
}
