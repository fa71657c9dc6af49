import XenstoreProtocol

/// The store as one open transaction shows it: each request is sent in it.
///
/// What its user does in transactions of its own happens at once, in the same one: nobody else
/// sees it before the end. Only taking such a part back is not possible. Its user asks first and
/// changes then; where a change fails all the same after another was made, the whole is spoilt.
final class TransactionRequests<Base: XenstoreAccess>: XenstoreAccess {
    private let base: Base
    let id: TransactionID
    private(set) var changes = TransactionChanges()
    /// Whether a step failed halfway: what the transaction holds is nothing that anybody asked for.
    private(set) var isSpoilt = false
    /// Whether the store has said that it does not have the transaction any more.
    private(set) var isLost = false
    /// Whether each part of its user's that is open has changed something.
    private var parts: [TransactionID: Bool] = [:]
    private var nextPart: UInt32 = 1

    init(_ base: Base, in id: TransactionID) {
        self.base = base
        self.id = id
    }

    var payloadLimit: Int { base.payloadLimit }

    func send(
        _ request: Request,
        in part: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        switch request {
        case .transactionStart: return beginPart()
        case .transactionEnd(let commits):
            endPart(part, commits: commits)
            return Array("OK\0".utf8)
        default: break
        }
        let answer: [UInt8]
        do throws(XenstoreError) {
            answer = try await base.send(request, in: id)
        } catch {
            throw noteFailure(error, of: request)
        }
        note(request, in: part)
        return answer
    }

    func send(
        _ requests: [Request],
        in part: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        let answers = await base.send(requests, in: id)
        return zip(requests, answers).map { request, answer in
            if case .success = answer { note(request, in: part) }
            return answer.mapError { noteFailure($0, of: request) }
        }
    }

    /// - Returns: what its user is to take the failure for.
    private func noteFailure(_ error: XenstoreError, of request: Request) -> XenstoreError {
        if error.transactionFailure(of: request) == .lost {
            isLost = true
            return .refused(.again)
        }
        if error == .refused(.noEntry) { changes.appendMissing(request) }
        return error
    }

    func post(_ request: Request, in part: TransactionID) {
        if case .transactionEnd(let commits) = request {
            endPart(part, commits: commits)
        } else {
            base.post(request, in: id)
        }
    }

    // MARK: Parts

    private func beginPart() -> [UInt8] {
        let part = TransactionID(nextPart)
        nextPart &+= 1
        parts[part] = false
        return Array("\(part.rawValue)\0".utf8)
    }

    private func endPart(_ part: TransactionID, commits: Bool) {
        let hasChanged = parts.removeValue(forKey: part) ?? false
        if hasChanged, !commits { isSpoilt = true }
    }

    private func note(_ request: Request, in part: TransactionID) {
        guard changes.append(request) else { return }
        if parts[part] != nil { parts[part] = true }
    }
}
