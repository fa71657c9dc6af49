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
            answered([request], in: transaction, since: start) { [.success(answer)] }
            return answer
        } catch {
            note(error)
            answered([request], in: transaction, since: start) { [.failure(error)] }
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
        answered(requests, in: transaction, since: start) { answers }
        return answers
    }

    func post(_ request: Request, in transaction: TransactionID) {
        requests[request.type, default: 0] += 1
        if logs.store.logLevel <= .debug {
            logs.store.debug("\(text(of: request, in: transaction)), without waiting")
        }
        base.post(request, in: transaction)
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

    private func answered(
        _ requests: [Request],
        in transaction: TransactionID,
        since start: Duration,
        _ answers: () -> [Result<[UInt8], XenstoreError>]
    ) {
        let now = elapsed()
        let time = now - start
        outstanding -= 1
        silentSince = now
        waits += 1
        waited += time
        if !costs.isEmpty { costs.add(requests: requests.count, waited: time) }
        guard logs.store.logLevel <= .debug else { return }
        let metadata = TracedRequest.number.map { ["request": "\($0)"] as Logger.Metadata }
        for (request, answer) in zip(requests, answers()) {
            let (asked, answered) = (text(of: request, in: transaction), text(of: answer))
            logs.store.debug("\(asked): \(answered), \(time.inMicroseconds)", metadata: metadata)
        }
    }

    private func note(_ error: XenstoreError) {
        errors[name(of: error), default: 0] += 1
    }

    private func name(of error: XenstoreError) -> String {
        switch error {
        case .refused(let code): code.name
        default: "\(error)"
        }
    }

    // MARK: For the log

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
