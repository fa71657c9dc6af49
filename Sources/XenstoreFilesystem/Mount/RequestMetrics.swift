import Logging
import XenstoreProtocol

/// A way to the store that counts what is asked, what fails, and how long answers take, and logs
/// it.
final class RequestMetrics<Base: XenstoreAccess>: XenstoreAccess {
    private let base: Base
    private let elapsed: () -> Duration
    private let logs: FilesystemLogs
    private(set) var requests: [MessageType: Int] = [:]
    private(set) var errors: [String: Int] = [:]
    /// How often answers were waited for, and how long in all. A batch is one.
    private(set) var waits = 0
    private(set) var waited = Duration.zero
    /// Calls that wait for answers, and since when none has come.
    private var outstanding = 0
    private var silentSince = Duration.zero
    /// What requests of the kernel cost that are traced.
    var costs = StoreCosts()

    init(_ base: Base, elapsed: @escaping () -> Duration, logs: FilesystemLogs) {
        self.base = base
        self.elapsed = elapsed
        self.logs = logs
    }

    var payloadLimit: Int { base.payloadLimit }

    func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        requests[request.type, default: 0] += 1
        let start = begin()
        do throws(XenstoreError) {
            let answer = try await base.send(request, in: transaction)
            let time = end(1, since: start)
            if logs.store.isDebugging { log(request, in: transaction, .success(answer), time) }
            return answer
        } catch {
            note(error)
            let time = end(1, since: start)
            if logs.store.isDebugging { log(request, in: transaction, .failure(error), time) }
            throw error
        }
    }

    func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        for request in requests {
            self.requests[request.type, default: 0] += 1
        }
        let start = begin()
        let answers = await base.send(requests, in: transaction)
        for case .failure(let error) in answers {
            note(error)
        }
        let time = end(requests.count, since: start)
        guard logs.store.isDebugging else { return answers }
        for (request, answer) in zip(requests, answers) {
            log(request, in: transaction, answer, time)
        }
        return answers
    }

    func post(_ request: Request, in transaction: TransactionID) {
        requests[request.type, default: 0] += 1
        if logs.store.isDebugging {
            logs.store.debug("\(text(of: request, in: transaction)), without waiting")
        }
        base.post(request, in: transaction)
    }

    /// Sends a request with another behind it. oxenstored 4.17 leaves one without payload until
    /// more bytes come.
    func sendWithAnother(_ request: Request) async throws(XenstoreError) -> [UInt8] {
        try await send([request, .getDomainPath(.privileged)], in: .none)[0].get()
    }

    /// Whether somebody waits, and for so long no answer has come.
    func isSilent(for time: Duration) -> Bool {
        outstanding > 0 && elapsed() - silentSince > time
    }

    private func begin() -> Duration {
        let now = elapsed()
        if outstanding == 0 { silentSince = now }
        outstanding += 1
        return now
    }

    /// - Returns: how long the answers took.
    private func end(_ count: Int, since start: Duration) -> Duration {
        let now = elapsed()
        let time = now - start
        outstanding -= 1
        silentSince = now
        waits += 1
        waited += time
        if !costs.isEmpty { costs.add(requests: count, waited: time) }
        return time
    }

    private func note(_ error: XenstoreError) {
        // A store may send any name, and each would be a line of the status for ever.
        if case .refused(.other) = error {
            errors["other", default: 0] += 1
        } else {
            errors[name(of: error), default: 0] += 1
        }
    }

    private func name(of error: XenstoreError) -> String {
        switch error {
        case .refused(let code): code.name
        default: "\(error)"
        }
    }

    // MARK: For the log

    private func log(
        _ request: Request,
        in transaction: TransactionID,
        _ answer: Result<[UInt8], XenstoreError>,
        _ time: Duration
    ) {
        let metadata = TracedRequest.number.map { ["request": "\($0)"] as Logger.Metadata }
        let (asked, answered) = (text(of: request, in: transaction), text(of: answer))
        logs.store.debug("\(asked): \(answered), \(time.inMicroseconds)", metadata: metadata)
    }

    private func text(of request: Request, in transaction: TransactionID) -> String {
        var text = request.type.name
        if let path = request.path { text += " \(path)" }
        switch request {
        case .write(_, let value): text += " (\(logs.text(of: value)))"
        case .transactionEnd(let commits): text += commits ? " (commit)" : " (abort)"
        default: break
        }
        if transaction != .none { text += " in transaction \(transaction.rawValue)" }
        return text
    }

    private func text(of answer: Result<[UInt8], XenstoreError>) -> String {
        switch answer {
        case .success(let bytes): logs.text(of: bytes)
        case .failure(let error): name(of: error)
        }
    }
}

extension Duration {
    /// The duration as the log shows it.
    package var inMicroseconds: String {
        let (seconds, attoseconds) = components
        return "\(seconds * 1_000_000 + attoseconds / 1_000_000_000_000) us"
    }
}
