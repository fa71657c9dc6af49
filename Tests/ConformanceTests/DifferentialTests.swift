import Glibc
import MountSupport
import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

/// Random requests of several clients, privileged and not, sent to a daemon of Xen and to our store
/// alike: the same messages must come back, in the same order.
///
/// `XSFS_DIFFERENTIAL=SEED,COUNT` makes one long run of another seed with each daemon.
@Suite(.enabled(if: !GivenStore.isThere, "a given store is not alone with the test"))
struct DifferentialTests {
    @Test(arguments: XenVersion.allCases, runs)
    func sameAnswersAsXenstored(version: XenVersion, run: Run) throws {
        try compare(run, .xenstored, with: .xenstored, version)
    }

    @Test(arguments: XenVersion.allCases, runs)
    func sameAnswersAsOxenstored(version: XenVersion, run: Run) throws {
        try compare(run, .oxenstored, with: .oxenstored, version)
    }

    private func compare(
        _ run: Run,
        _ compatibility: Compatibility,
        with kind: ServerKind,
        _ version: XenVersion
    ) throws {
        let daemon = try Daemon(kind, version)
        let differences = KnownDifference.all(of: kind, version)
        let host = StoreHost(store: .forComparing(compatibility))
        var pairs: [Pair] = []
        for domain in [DomainID(0), DomainID(0), DomainID(5)] {
            pairs.append(
                Pair(
                    theirs: try daemon.connect(as: domain),
                    ours: StoreConversation(host: host, as: domain),
                    isPrivileged: domain == .privileged
                )
            )
        }
        var random = RandomRequests(seed: run.seed, for: compatibility)
        var history: [String] = []
        for step in 0..<run.count {
            let client = random.client(of: pairs.count)
            let message = random.request(from: client, isPrivileged: pairs[client].isPrivileged)
            history.append("\(client): \(random.text(message))")
            try pairs[client].send(message)
            var changed = false
            // The sender first: the others' events are there when it has its reply.
            for index in [client] + pairs.indices.filter({ $0 != client }) {
                let pair = pairs[index]
                var (theirs, ours) = try pair.receive(upTo: RequestID(UInt32(step)))
                if index == client {
                    theirs = theirs.map { reply in
                        differences.reduce(reply) { $1.undone(in: $0, to: message) }
                    }
                }
                try #require(
                    theirs.map(random.text) == ours.map(random.text),
                    "seed \(run.seed), step \(step), client \(index); the last requests: \(history.suffix(40))"
                )
                if index == client, let reply = ours.first(where: { $0.type != .watchEvent }) {
                    changed = random.note(message, reply, of: client)
                }
            }
            if changed { random.outdateTransactions() }
        }
    }

    struct Run: CustomTestStringConvertible {
        var seed: UInt64
        var count: Int

        var testDescription: String { "seed \(seed), \(count) requests" }
    }

    static let runs: [Run] = {
        let given = getenv("XSFS_DIFFERENTIAL").map { String(cString: $0) } ?? ""
        let numbers = given.split(separator: ",").compactMap { UInt64($0) }
        if numbers.count == 2 { return [Run(seed: numbers[0], count: Int(numbers[1]))] }
        return (1...3).map { Run(seed: $0, count: 1500) }
    }()
}

/// One client of both stores.
private struct Pair {
    let theirs: any Conversation
    let ours: any Conversation
    let isPrivileged: Bool

    func send(_ message: Message) throws {
        try theirs.send(message)
        try ours.send(message)
    }

    /// All messages up to now, of both: what came before the answer to something harmless.
    func receive(upTo barrier: RequestID) throws -> ([Message], [Message]) {
        (try Self.receive(theirs, barrier), try Self.receive(ours, barrier))
    }

    private static func receive(
        _ conversation: any Conversation,
        _ barrier: RequestID
    ) throws -> [Message] {
        try conversation.send(Message(.getDomainPath, requestID: barrier, payload: [0x30, 0]))
        var messages: [Message] = []
        while let message = try conversation.receive() {
            if message.type == .getDomainPath, message.requestID == barrier { return messages }
            messages.append(message)
        }
        return messages
    }
}
