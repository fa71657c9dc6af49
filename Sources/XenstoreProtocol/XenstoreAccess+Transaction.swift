/// How the body of a transaction ends.
public enum TransactionStep<Value> {
    /// Make everything that was done in it visible, all at once.
    case commit(Value)
    /// Forget it.
    case rollback(Value)
}

extension XenstoreAccess {
    /// Runs `body` in a transaction, again from the start where another client's changes got in
    /// its way or the store has lost it (``TransactionFailure``), at most `attempts` times and
    /// without a pause: no clock is here. The corresponding operations are TRANSACTION_START and
    /// TRANSACTION_END.
    ///
    /// An EIO of the store in `body` counts as such a change: C xenstored answers so to RM of a key
    /// that the transaction has read, and another client has removed since.
    ///
    /// - Throws: ``StoreErrorCode/again`` refused, when the last attempt met a conflict, and
    ///   ``StoreErrorCode/ioError`` refused where that was its error; otherwise what the store or
    ///   `body` throws, with the transaction ended and nothing changed.
    public func transaction<Value>(
        attempts: Int,
        _ body: (TransactionID) async throws(XenstoreError) -> TransactionStep<Value>
    ) async throws(XenstoreError) -> Value {
        try await transaction(
            attempts: attempts,
            starting: { () throws(XenstoreError) in try await startTransaction() },
            ended: {},
            body
        )
    }

    /// The same, where transactions are rationed.
    ///
    /// - Parameters:
    ///   - start: starts one.
    ///   - ended: called at the end of each that was started.
    package func transaction<Value>(
        attempts: Int,
        starting start: () async throws(XenstoreError) -> TransactionID,
        ended: () -> Void,
        _ body: (TransactionID) async throws(XenstoreError) -> TransactionStep<Value>
    ) async throws(XenstoreError) -> Value {
        let policy = RetryPolicy.atOnce(attempts)
        var conflict = XenstoreError.refused(.again)
        for _ in 1...policy.attempts {
            let transaction = try await start()
            defer { ended() }
            let step: TransactionStep<Value>
            do throws(XenstoreError) {
                step = try await body(transaction)
            } catch {
                // Nobody waits for it: the caller may have been interrupted.
                post(.transactionEnd(commit: false), in: transaction)
                guard error == .refused(.ioError) else { throw error }
                conflict = error
                continue
            }
            switch step {
            case .rollback(let value):
                post(.transactionEnd(commit: false), in: transaction)
                return value
            case .commit(let value):
                let end = Request.transactionEnd(commit: true)
                do throws(XenstoreError) {
                    _ = try await send(end, in: transaction)
                    return value
                } catch {
                    guard error.transactionFailure(of: end) != nil else { throw error }
                    conflict = .refused(.again)
                }
            }
        }
        throw conflict
    }

    /// Opens a transaction. The corresponding operation is TRANSACTION_START.
    public func startTransaction() async throws(XenstoreError) -> TransactionID {
        let payload = try await send(.transactionStart, in: .none)
        guard payload.last == 0, let number = UInt32(decimal: payload.dropLast()), number != 0
        else { throw .malformedReply }
        return TransactionID(number)
    }
}
