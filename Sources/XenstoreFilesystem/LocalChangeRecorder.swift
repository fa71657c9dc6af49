import XenstoreProtocol

/// A way to the store that records the local changes, those that are made on it.
///
/// A change in a transaction is recorded when that is committed.
final class LocalChangeRecorder<Base: XenstoreAccess>: XenstoreAccess {
    let base: Base
    /// A request that changes keys is sent. What it returns is called with whether it succeeded.
    var onChange: (([Request]) -> (Bool) -> Void)?
    private var transactions: [TransactionID: [Request]] = [:]

    init(_ base: Base) {
        self.base = base
    }

    var payloadLimit: Int { base.payloadLimit }

    func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        guard onChange != nil, !request.isReadOnly else {
            return try await base.send(request, in: transaction)
        }
        let finish = begin(request, in: transaction)
        do throws(XenstoreError) {
            let answer = try await base.send(request, in: transaction)
            finish?(true)
            return answer
        } catch {
            finish?(false)
            throw error
        }
    }

    func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        guard onChange != nil else { return await base.send(requests, in: transaction) }
        let finish = requests.map { $0.isReadOnly ? nil : begin($0, in: transaction) }
        let answers = await base.send(requests, in: transaction)
        for (finish, answer) in zip(finish, answers) {
            guard let finish else { continue }
            if case .success = answer { finish(true) } else { finish(false) }
        }
        return answers
    }

    func post(_ request: Request, in transaction: TransactionID) {
        if case .transactionEnd = request { transactions[transaction] = nil }
        base.post(request, in: transaction)
    }

    private func begin(_ request: Request, in transaction: TransactionID) -> ((Bool) -> Void)? {
        switch request {
        case .write, .makeDirectory, .remove, .setPermissions:
            guard transaction != .none else { return onChange?([request]) }
            transactions[transaction, default: []].append(request)
            return nil
        case .transactionEnd(let commit):
            let made = transactions.removeValue(forKey: transaction) ?? []
            return commit && !made.isEmpty ? onChange?(made) : nil
        default:
            return nil
        }
    }
}
