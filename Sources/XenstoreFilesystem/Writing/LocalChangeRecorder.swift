import XenstoreProtocol

/// Hears of the changes that this mount makes itself.
protocol LocalChangeObserver: AnyObject {
    /// Requests that change keys are about to be sent, or the end of the transaction that they were
    /// sent in.
    func begin(_ requests: [Request]) -> LocalChange
    /// The store has answered.
    ///
    /// - Parameter isDone: whether it has carried them out.
    func end(_ change: LocalChange, isDone: Bool)
}

/// A way to the store that records the local changes, those that are made on it.
///
/// A change in a transaction is recorded when that is committed.
final class LocalChangeRecorder<Base: XenstoreAccess>: XenstoreAccess {
    let base: Base
    /// Hears of each change. Nil where changes are no local ones.
    unowned var observer: (any LocalChangeObserver)?
    private var transactions: [TransactionID: [Request]] = [:]

    init(_ base: Base) {
        self.base = base
    }

    var payloadLimit: Int { base.payloadLimit }

    func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        guard observer != nil, !request.isReadOnly else {
            return try await base.send(request, in: transaction)
        }
        let change = begin(request, in: transaction)
        do throws(XenstoreError) {
            let answer = try await base.send(request, in: transaction)
            end(change, isDone: true)
            return answer
        } catch {
            end(change, isDone: false)
            throw error
        }
    }

    func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        guard observer != nil else { return await base.send(requests, in: transaction) }
        let changes = requests.map { $0.isReadOnly ? nil : begin($0, in: transaction) }
        let answers = await base.send(requests, in: transaction)
        for (change, answer) in zip(changes, answers) {
            if case .success = answer {
                end(change, isDone: true)
            } else {
                end(change, isDone: false)
            }
        }
        return answers
    }

    func post(_ request: Request, in transaction: TransactionID) {
        if case .transactionEnd = request { transactions[transaction] = nil }
        base.post(request, in: transaction)
    }

    private func end(_ change: LocalChange?, isDone: Bool) {
        if let change { observer?.end(change, isDone: isDone) }
    }

    private func begin(_ request: Request, in transaction: TransactionID) -> LocalChange? {
        switch request {
        case .write, .makeDirectory, .remove, .setPermissions:
            guard transaction != .none else { return observer?.begin([request]) }
            transactions[transaction, default: []].append(request)
            return nil
        case .transactionEnd(let commit):
            let made = transactions.removeValue(forKey: transaction) ?? []
            return commit && !made.isEmpty ? observer?.begin(made) : nil
        default:
            return nil
        }
    }
}
