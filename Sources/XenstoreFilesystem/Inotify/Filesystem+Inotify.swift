import ChangeNotification
import XenstoreProtocol

/// Does what the ``ChangeNotifier`` says is to be done.
extension Filesystem {
    func perform(_ actions: [ChangeNotifier<WatchedKeys>.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: ChangeNotifier<WatchedKeys>.Action) {
        switch action {
        case .revalidate: scheduleRevalidation()
        case .inject(let calls, let afterQuestion): inject(calls, afterQuestion: afterQuestion)
        case .cancelLater(let calls):
            environment.after(NotifierLimits.speculation) {
                for call in calls { call.cancel() }
            }
        case .list(let node): environment.start { [self] in await list(node) }
        case .settle(let answerCount):
            environment.later { [notifier] in notifier.settled(answerCount) }
        case .learnRoot: environment.start { [self] in await learnChildren(of: keys.root) }
        case .reportLoss:
            environment.report(
                "more than \(NotifierLimits.pendingCalls) changes wait to be told to inotify: "
                    + "some are lost"
            )
        }
    }

    // MARK: Questions

    private func scheduleRevalidation() {
        let begin = { [self] in
            // When all events that have come are known.
            environment.later { [self] in environment.start { [self] in await revalidate() } }
        }
        guard let delay = notifier.coalescingDelay(at: environment.elapsed()) else {
            return begin()
        }
        environment.after(delay, begin)
    }

    private func revalidate() async {
        let (questions, actions) = notifier.takeBatch(at: changes.version)
        let queries = questions.map { question in
            question.isOfFile
                ? StatQuery(childless: question.path, at: changes.version)
                : StatQuery(question.path, at: changes.version)
        }
        perform(actions)
        let stats = queries.isEmpty ? [] : await reader.access.stat(queries)
        let answers = zip(questions, stats).map { question, stat in
            (question: question, answer: ChangeNotifier<WatchedKeys>.Answer(stat))
        }
        perform(notifier.answered(answers))
        perform(notifier.endBatch())
    }

    private func list(_ node: KeyNode) async {
        guard let path = try? node.path(),
            // What fails is gone, which is told by itself, or the connection is lost.
            let names = try? await reader.access.directoryByParts(path, in: .none)
        else { return }
        perform(notifier.listed(names, in: node))
    }

    // MARK: What programs watch

    /// A program that can watch files has looked a directory up: what it is told of the children
    /// must be right from the first change on.
    func prepareForWatch(_ node: KeyNode, by caller: CallerID) async {
        if isToPrepareForWatch(node, by: caller) { await learnChildren(of: node) }
    }

    func isToPrepareForWatch(_ node: KeyNode, by caller: CallerID) -> Bool {
        notifier.isActive && !node.knowsChildren && environment.mayWatch(caller)
    }

    /// Asks for the children of a directory of which nothing is known yet.
    private func learnChildren(of node: KeyNode) async {
        guard let path = try? node.path() else { return }
        if node.unknownNames == nil {
            let version = changes.version
            guard let names = try? await reader.access.directory(path) else { return }
            let possible = reader.withoutLongNames(names, of: path)
            recordBaseline(possible, of: node, path, asOf: version)
        }
        guard let names = node.unknownNames,
            names.count <= FilesystemLimits.watchBaseline
        else { return }
        let paths = names.compactMap { name in (try? path.appending(name)).map { (name, $0) } }
        var rest = paths[...]
        while !rest.isEmpty {
            let part = rest.prefix(NotifierLimits.revalidationBatch)
            rest = rest.dropFirst(part.count)
            let version = changes.version
            let answers = await reader.access.stat(part.map { StatQuery($0.1, at: version) })
            for ((name, path), answer) in zip(part, answers) {
                guard let stat = try? answer.get(), !changes.hasChanged(path, since: version)
                else { continue }
                // As it will show itself when it is looked up.
                let kind = keys.kind(stat, named: name, in: node)
                node.learn(stat, of: name, isDirectory: kind == .directory)
            }
        }
    }

    /// Keeps what a lookup or a listing has told of a key, where nothing was known of it.
    func recordBaseline(
        _ stat: KeyStat,
        _ kind: FileKind,
        of node: KeyNode,
        _ path: XenstorePath
    ) {
        guard notifier.isActive, !changes.hasChanged(path, since: stat.version) else { return }
        node.learn(stat, isDirectory: kind == .directory)
    }

    /// Keeps the list of a DIRECTORY reply, where the names were not known.
    func recordBaseline(
        list: [UInt8],
        of node: KeyNode,
        _ path: XenstorePath,
        asOf version: ChangeLog.Version
    ) {
        guard notifier.isActive, !changes.hasChanged(path, since: version) else { return }
        node.learn(names: list)
    }

    /// Keeps the names of a listing, where they were not known.
    func recordBaseline(
        _ names: [String],
        of node: KeyNode,
        _ path: XenstorePath,
        asOf version: ChangeLog.Version
    ) {
        guard notifier.isActive, node.unknownNames == nil else { return }
        let list: [UInt8] = names.flatMap { Array($0.utf8) + [0] }
        recordBaseline(list: list, of: node, path, asOf: version)
    }

    // MARK: Calls

    private func inject(_ calls: [InotifyCall], afterQuestion: Bool) {
        guard let send = environment.inject else { return }
        guard afterQuestion, options.cache == .strict else {
            // A program that is woken looks, and is to see the new.
            return kernelCache.afterInvalidations { send(calls) }
        }
        // Requests go out with what is for later when they are made.
        let environment = environment
        environment.later { environment.later { send(calls) } }
    }
}

extension ChangeNotifier<WatchedKeys>.Answer {
    fileprivate init(_ stat: Result<KeyStat, XenstoreError>) {
        switch stat {
        case .success(let stat): self = .found(stat)
        case .failure(.refused(.noEntry)): self = .gone
        case .failure(let error): self = .failed("\(error)")
        }
    }
}

/// The keys that a mount knows, as its ``ChangeNotifier`` sees them.
final class WatchedKeys: WatchedTree {
    private let keys: KeyTable
    private let form: FilesystemOptions.ValueForm
    private let timestamps: Timestamps
    /// Takes a key that is gone.
    var onRemoved: (KeyNode) -> Void = { _ in }

    init(_ keys: KeyTable, _ form: FilesystemOptions.ValueForm, _ timestamps: Timestamps) {
        self.keys = keys
        self.form = form
        self.timestamps = timestamps
    }

    var root: KeyNode { keys.root }

    func child(_ name: String, of directory: KeyNode) -> KeyNode? {
        keys.child(name, of: directory)
    }

    func subtree(of inode: KeyNode) -> [KeyNode] { keys.subtree(of: inode) }

    func path(of inode: KeyNode) -> XenstorePath? { try? inode.path() }

    func isDirectory(
        _ stat: KeyStat,
        named name: String,
        in directory: KeyNode,
        before wasDirectory: Bool?
    ) -> Bool {
        keys.kind(stat, named: name, in: directory, before: wasDirectory) == .directory
    }

    func size(of stat: KeyStat) -> Int { form.size(of: stat.value) }

    func learned(_ stat: KeyStat, of inode: KeyNode, at path: XenstorePath) {
        timestamps.learned(stat, of: inode, at: path)
    }

    func removed(_ inode: KeyNode) { onRemoved(inode) }

    typealias Version = ChangeLog.Version
}
