import XenstoreProtocol

/// A way to the store that tells of the changes that are made on it.
///
/// A change in a transaction is told when that is committed.
final class RecordingAccess<Base: XenstoreAccess>: XenstoreAccess {
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
        let settle = begin(request, in: transaction)
        do throws(XenstoreError) {
            let answer = try await base.send(request, in: transaction)
            settle?(true)
            return answer
        } catch {
            settle?(false)
            throw error
        }
    }

    func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        guard onChange != nil else { return await base.send(requests, in: transaction) }
        let settle = requests.map { $0.isReadOnly ? nil : begin($0, in: transaction) }
        let answers = await base.send(requests, in: transaction)
        for (settle, answer) in zip(settle, answers) {
            guard let settle else { continue }
            if case .success = answer { settle(true) } else { settle(false) }
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
