import XenstoreProtocol

/// Changes the store for programs: each change is a local one, and
/// ``LocalChangeRecorder/observer`` hears of its begin and its end.
final class StoreWriter<Access: XenstoreAccess> {
    /// The way to the store of what the kernel tells by itself.
    let access: LocalChangeRecorder<Access>
    /// Where the store allows few transactions, and so each waits for its turn.
    let turns: TransactionTurns?
    /// Whether what was done in a transaction can be taken back. In a transaction within one it
    /// cannot.
    let rollsBack: Bool
    private let changes: ChangeLog

    init(_ access: Access, _ changes: ChangeLog, turns: TransactionTurns?, rollsBack: Bool) {
        self.access = LocalChangeRecorder(access)
        self.changes = changes
        self.turns = turns
        self.rollsBack = rollsBack
    }

    /// Changes a key by one request.
    func send(_ request: Request, at path: XenstorePath) async throws(FilesystemError) {
        // What was asked for before a change may not hold after it.
        changes.noteLocalChange()
        defer { changes.noteLocalChange() }
        do throws(XenstoreError) {
            _ = try await access.send(request, in: .none)
        } catch {
            throw FilesystemError(error, at: path)
        }
    }

    /// Runs `body` in a transaction, a bounded number of times. A failure that `body` gives back is
    /// thrown when the transaction is gone.
    ///
    /// - Parameter path: the longest path that it is about.
    func transaction<Value>(
        at path: XenstorePath,
        _ body: (TransactionID) async throws(XenstoreError) -> Outcome<Value>
    ) async throws(FilesystemError) -> Value {
        let outcome: Outcome<Value>
        changes.noteLocalChange()
        defer { changes.noteLocalChange() }
        do throws(XenstoreError) {
            outcome = try await access.transaction(
                attempts: FilesystemLimits.transactionAttempts,
                starting: { () throws(XenstoreError) in
                    guard let turns else { return try await access.startTransaction() }
                    return try await turns.start(in: access)
                },
                ended: { turns?.ended() }
            ) { id throws(XenstoreError) in
                let outcome = try await body(id)
                if case .commit = outcome { return .commit(outcome) }
                return .rollback(outcome)
            }
        } catch {
            throw FilesystemError(error, at: path)
        }
        switch outcome {
        case .commit(let value), .unchanged(let value): return value
        case .fail(let error): throw error
        }
    }

    /// Sends, in a transaction, requests that tell whether a change may be made, and the change
    /// with them where it can be taken back: one round trip then, else two.
    ///
    /// - Parameter isAllowed: takes the answers to `questions`.
    /// - Returns: the answers to `changes`; nil where they are not allowed.
    func send(
        _ questions: [Request],
        thenChanges changes: [Request],
        in id: TransactionID,
        if isAllowed: ([Result<[UInt8], XenstoreError>]) throws(XenstoreError) -> Bool
    ) async throws(XenstoreError) -> [Result<[UInt8], XenstoreError>]? {
        guard rollsBack else {
            guard try isAllowed(await access.send(questions, in: id)) else { return nil }
            return await access.send(changes, in: id)
        }
        let answers = await access.send(questions + changes, in: id)
        guard try isAllowed(Array(answers[..<questions.count])) else { return nil }
        return Array(answers[questions.count...])
    }
}

/// How the body of a transaction ends.
enum Outcome<Value> {
    case commit(Value)
    /// Nothing was to be changed.
    case unchanged(Value)
    case fail(FilesystemError)
}
