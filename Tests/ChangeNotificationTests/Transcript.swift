import ChangeNotification
import Logging
import Testing
import XenstoreProtocol

/// A machine, fed with events, whose actions are lines of text.
final class Transcript {
    typealias Notifier = ChangeNotifier<FakeTree>

    let tree = FakeTree()
    let notifier: Notifier
    private var batches = 0
    private var questions: [Notifier.Question] = []
    /// What is to be cancelled later.
    private(set) var speculative: [Notifier.Call] = []
    /// How many local changes are to be settled in a later turn, for each turn.
    private var toSettle: [Int] = []

    /// A mount whose root has `a`, a directory; both are watched.
    ///
    /// - Parameters:
    ///   - files: what is in `a`.
    ///   - hasAgent: whether there is an agent, which has nothing to do.
    init(_ files: [String: FakeStat] = ["b": "old"], hasAgent: Bool = true) throws {
        notifier = Notifier(of: tree, log: Logger(label: "transcript"))
        notifier.isActive = true
        if hasAgent { #expect(notifier.agentHasStarted().isEmpty) }
        try tree.know("/", ["a": .directory("b")])
        try tree.know("/a", files)
    }

    /// The directory `/a`.
    var directory: FakeInode {
        get throws { try #require(tree.child("a", of: tree.root)) }
    }

    // MARK: The store

    /// The event of a watch.
    func changed(_ path: String) throws -> [String] {
        let path = try XenstorePath(path)
        return lines(notifier.changed(path, path.components[...]))
    }

    /// The next questions, and what is to be done as they are sent.
    func batch() -> [String] {
        batches += 1
        let actions: [Notifier.Action]
        (questions, actions) = notifier.takeBatch(at: batches)
        return questions.map { "ask \($0.isOfFile ? "file " : "")\($0.path)" } + lines(actions)
    }

    /// The store answers the batch; what it does not name is gone.
    func answer(_ stats: [String: FakeStat]) -> [String] {
        answer { path in stats[path].map { .found($0) } ?? .gone }
    }

    /// The store does not answer the batch.
    func fail(_ reason: String) -> [String] { answer { _ in .failed(reason) } }

    private func answer(_ answer: (String) -> Notifier.Answer) -> [String] {
        let answers = questions.map { (question: $0, answer: answer($0.path.text)) }
        questions = []
        return lines(notifier.answered(answers)) + lines(notifier.endBatch())
    }

    /// An event, the questions, and their answers.
    func change(_ path: String, _ stats: [String: FakeStat]) throws -> [String] {
        #expect(try changed(path) == ["revalidate"])
        _ = batch()
        return answer(stats)
    }

    // MARK: Local changes

    /// A program writes, and the request goes out.
    func begin(_ path: String, coversBelow: Bool = false) throws -> Int {
        notifier.beginLocalChange(try XenstorePath(path), coversBelow: coversBelow)
    }

    /// The store has carried a local change out.
    func end(_ number: Int, _ request: Request) throws {
        notifier.localChangeIsAnswered(number, isDone: true)
        let path = try #require(request.changedPath)
        notifier.localChange(request, at: path.components[...])
    }

    /// The store refuses a local change.
    func refuse(_ number: Int) { notifier.localChangeIsAnswered(number, isDone: false) }

    /// A later turn has come.
    func settle() {
        for answerCount in toSettle { notifier.settled(answerCount) }
        toSettle = []
    }

    /// A program writes, and the store has answered.
    func write(_ value: String, to path: String) throws {
        try end(begin(path), .write(XenstorePath(path), value: Array(value.utf8)))
    }

    // MARK: The agent

    func agentHasStarted() -> [String] { lines(notifier.agentHasStarted()) }

    func agentIsDone() -> [String] { lines(notifier.agentIsDone()) }

    /// The call at the agent for a name in a directory.
    func call(_ name: String, in directory: FakeInode) throws -> Notifier.Call {
        try #require(notifier.call(for: name, in: directory))
    }

    // MARK: Text

    func lines(_ actions: [Notifier.Action]) -> [String] {
        actions.map { action in
            switch action {
            case .revalidate: return "revalidate"
            case .inject(let calls, let afterQuestion):
                let calls = calls.map { "\($0.operation.name) \($0.path)" }
                let when = afterQuestion ? "inject after the question" : "inject"
                return "\(when): \(calls.joined(separator: ", "))"
            case .cancelLater(let calls):
                speculative = calls
                return "cancel later: \(calls.map(\.name).joined(separator: ", "))"
            case .list(let inode): return "list \(tree.path(of: inode)?.text ?? "?")"
            case .settle(let answerCount):
                toSettle.append(answerCount)
                return "settle"
            case .learnRoot: return "learn the root"
            case .reportLoss: return "report loss"
            }
        }
    }
}
