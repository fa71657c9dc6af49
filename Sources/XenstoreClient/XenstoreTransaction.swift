import Synchronization
public import XenstoreProtocol

/// A transaction that is open until ``commit()`` or ``rollback()``, and rolled back when it is
/// dropped.
///
/// ``Xenstore/transaction(_:_:)`` does the same with what is tried again on a conflict.
public final class XenstoreTransaction: XenstoreOperations {
    let client: Xenstore
    let open: OpenTransaction
    private let hasEnded = Mutex(false)

    init(client: Xenstore, open: OpenTransaction) {
        self.client = client
        self.open = open
    }

    deinit {
        guard takeEnd() else { return }
        Self.end(open, client)
    }

    public var handle: XenstoreHandle { XenstoreHandle(client: client, transaction: self) }

    /// Makes everything that was done in it visible, all at once. The corresponding operation is
    /// TRANSACTION_END.
    ///
    /// - Throws: ``ClientError`` whose ``ClientError/isConflict`` is true if nothing was done
    ///   because changes of others got in the way, or the transaction was lost with its connection.
    public func commit() async throws(ClientError) {
        let request = Request.transactionEnd(commit: true)
        guard takeEnd() else {
            throw ClientError(.transactionEnd, .invalidArgument("the transaction has ended"))
        }
        let open = open
        do throws(XenstoreError) {
            try await client.onLoop { (core) async throws(XenstoreError) in
                _ = try await core.perform(request, in: open)
            }
        } catch {
            // Then nothing was sent, and the transaction is open still.
            if error == .tooMany { Self.end(open, client) }
            throw ClientError(request, error)
        }
    }

    /// Forgets everything that was done in it. Nothing to do if it has ended. The corresponding
    /// operation is TRANSACTION_END.
    public func rollback() {
        guard takeEnd() else { return }
        Self.end(open, client)
    }

    /// Ends a transaction where nobody waits for the answer: who does it may have been cancelled.
    private static func end(_ open: OpenTransaction, _ client: Xenstore) {
        client.later { core in
            guard open.epoch == core.epoch else { return }
            core.post(.transactionEnd(commit: false), in: open.id)
        }
    }

    private func takeEnd() -> Bool {
        hasEnded.withLock { hasEnded in
            defer { hasEnded = true }
            return !hasEnded
        }
    }
}

/// How often a transaction is tried, and how long a client waits in between.
public typealias RetryPolicy = XenstoreProtocol.RetryPolicy

extension Xenstore {
    /// Opens a transaction. The corresponding operation is TRANSACTION_START.
    public func begin() async throws(ClientError) -> XenstoreTransaction {
        let request = Request.transactionStart
        let open: OpenTransaction
        do throws(XenstoreError) {
            open = try await onLoop { (core) async throws(XenstoreError) in
                let payload = try await core.perform(request)
                guard payload.last == 0, let number = UInt32(decimal: payload.dropLast()),
                    number != 0
                else { throw .malformedReply }
                return OpenTransaction(id: TransactionID(number), epoch: core.epoch)
            }
        } catch {
            throw ClientError(request, error)
        }
        return XenstoreTransaction(client: self, open: open)
    }

    /// Runs `body` in a transaction, and commits what it has done when it returns. Where changes of
    /// others got in the way, or the transaction was lost, it runs again from the start.
    ///
    /// `body` throws to have everything forgotten; what it throws comes out. EIO of the store is
    /// tried again, too: C xenstored answers so to RM of a key that the transaction has read, and
    /// another client has removed since.
    ///
    /// - Throws: ``ClientError/Reason/conflict(attempts:)`` when all attempts met a conflict;
    ///   otherwise what `body` or the store says.
    public func transaction<Value>(
        _ policy: RetryPolicy = .standard,
        _ body: (XenstoreHandle) async throws -> Value
    ) async throws -> Value {
        for attempt in 1...policy.attempts {
            let transaction = try await begin()
            do {
                let value = try await body(transaction.handle)
                try await transaction.commit()
                return value
            } catch let error as ClientError where error.isConflict {
                transaction.rollback()
            } catch let error as ClientError
                where error.code == .ioError && attempt < policy.attempts
            {
                transaction.rollback()
            } catch {
                transaction.rollback()
                throw error
            }
            guard let pause = policy.pause(after: attempt) else { break }
            try await self.pause(pause)
        }
        throw ClientError(.transactionEnd, .conflict(attempts: policy.attempts))
    }

    private func pause(_ duration: Duration) async throws(ClientError) {
        try await onLoop { (core) async throws(ClientError) in
            do throws(XenstoreError) {
                try await core.pause(duration)
            } catch {
                throw ClientError(Request.transactionStart, error)
            }
        }
    }
}
