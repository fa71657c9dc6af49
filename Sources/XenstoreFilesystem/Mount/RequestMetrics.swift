import XenstoreProtocol

/// A way to the store that counts what is asked, what fails, and how long answers take.
final class RequestMetrics<Base: XenstoreAccess>: XenstoreAccess {
    private let base: Base
    private let elapsed: () -> Duration
    private(set) var requests: [MessageType: Int] = [:]
    private(set) var errors: [String: Int] = [:]
    /// How often answers were waited for, and how long in all. A batch is one.
    private(set) var waits = 0
    private(set) var waited = Duration.zero

    init(_ base: Base, elapsed: @escaping () -> Duration) {
        self.base = base
        self.elapsed = elapsed
    }

    var payloadLimit: Int { base.payloadLimit }

    func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        requests[request.type, default: 0] += 1
        let start = elapsed()
        defer { endWait(since: start) }
        do throws(XenstoreError) {
            return try await base.send(request, in: transaction)
        } catch {
            note(error)
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
        let start = elapsed()
        defer { endWait(since: start) }
        let answers = await base.send(requests, in: transaction)
        for case .failure(let error) in answers {
            note(error)
        }
        return answers
    }

    func post(_ request: Request, in transaction: TransactionID) {
        requests[request.type, default: 0] += 1
        base.post(request, in: transaction)
    }

    private func endWait(since start: Duration) {
        waits += 1
        waited += elapsed() - start
    }

    private func note(_ error: XenstoreError) {
        let name =
            switch error {
            case .refused(let code): code.name
            default: "\(error)"
            }
        errors[name, default: 0] += 1
    }
}
