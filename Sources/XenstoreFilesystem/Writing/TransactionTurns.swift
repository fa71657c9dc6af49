import XenstoreProtocol

/// Whose turn it is to start a transaction, where the store allows a domain few of them: first
/// come, first served.
///
/// The kernel's drivers and other programs of the domain take from the same few. So the mount's own
/// changes have at most ``FilesystemLimits/transactionsAtOnce`` open. Where the store gives none,
/// the first in the queue waits until it does, within a bound. It belongs to one thread.
final class TransactionTurns {
    /// Pauses between two tries to start one.
    private static let pauses = Duration.milliseconds(1)...Duration.milliseconds(50)

    private let after: (Duration, @escaping () -> Void) -> Void
    /// The mount's own that are open.
    private var open = 0
    /// Whether somebody's turn has come who has not started yet, or given up.
    private var isStarting = false
    private var waiting: [(number: Int, continuation: UnsafeContinuation<Bool, Never>)] = []
    private var paused: (number: Int, continuation: UnsafeContinuation<Void, Never>)?
    private var lastNumber = 0
    /// For how long the store has refused to start one, since it last did or nobody wanted any.
    private var refused = Duration.zero

    /// - Parameter after: runs work after a while.
    init(after: @escaping (Duration, @escaping () -> Void) -> Void) {
        self.after = after
    }

    /// Starts a transaction for a change of the mount's own, which ends soon: then ``ended()``.
    ///
    /// - Throws: ``StoreErrorCode/again`` refused where the store has given none for
    ///   ``FilesystemLimits/transactionPatience``.
    func start(in access: some XenstoreAccess) async throws(XenstoreError) -> TransactionID {
        try await waitForTurn()
        defer { passTurn() }
        let id = try await start(in: access) { [self] in
            refused < FilesystemLimits.transactionPatience
        }
        guard let id else { throw .refused(.again) }
        open += 1
        return id
    }

    /// One that ``start(in:)`` gave has ended: what is sent from now on gets to the store later.
    func ended() {
        open -= 1
        endPause()
        beginNext()
    }

    /// Starts a transaction that stays open for as long as a user likes. One more stays free, so
    /// that the mount's own changes go on.
    ///
    /// - Throws: what the store says where it gives no two, while none of the mount's own is open.
    func startKept(in access: some XenstoreAccess) async throws(XenstoreError) -> TransactionID {
        try await waitForTurn()
        defer { passTurn() }
        let id = try await startBesideNone(in: access)
        do throws(XenstoreError) {
            let spare = try await startBesideNone(in: access)
            access.post(.transactionEnd(commit: false), in: spare)
            return id
        } catch {
            access.post(.transactionEnd(commit: false), in: id)
            throw error
        }
    }

    // MARK: The store

    /// Tries to start one until the mount's own changes have none open.
    private func startBesideNone(in access: some XenstoreAccess) async throws(XenstoreError)
        -> TransactionID
    {
        if let id = try await start(in: access, again: { [self] in open > 0 }) { return id }
        return try await access.startTransaction()
    }

    /// Tries to start one as long as the store's only objection is the number of them.
    ///
    /// - Returns: nil where it is not to be tried again.
    private func start(
        in access: some XenstoreAccess,
        again isToTry: () -> Bool
    ) async throws(XenstoreError) -> TransactionID? {
        var pause = Self.pauses.lowerBound
        while true {
            do throws(XenstoreError) {
                let id = try await access.startTransaction()
                refused = .zero
                return id
            } catch .refused(.noSpace), .refused(.quota) {
                guard isToTry() else { return nil }
            }
            try await rest(pause)
            refused += pause
            pause = min(pause * 2, Self.pauses.upperBound)
        }
    }

    // MARK: The queue

    private func waitForTurn() async throws(XenstoreError) {
        guard isStarting || open >= FilesystemLimits.transactionsAtOnce || !waiting.isEmpty else {
            isStarting = true
            return
        }
        lastNumber += 1
        let number = lastNumber
        // The task is cancelled on the thread that it runs on.
        nonisolated(unsafe) let turns = self
        let isItsTurn = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                if Task.isCancelled {
                    continuation.resume(returning: false)
                } else {
                    turns.waiting.append((number, continuation))
                }
            }
        } onCancel: {
            turns.leaveQueue(number)
        }
        guard isItsTurn else { throw .cancelled }
    }

    private func leaveQueue(_ number: Int) {
        guard let place = waiting.firstIndex(where: { $0.number == number }) else { return }
        waiting.remove(at: place).continuation.resume(returning: false)
    }

    private func passTurn() {
        isStarting = false
        if waiting.isEmpty { refused = .zero }
        beginNext()
    }

    private func beginNext() {
        guard !isStarting, open < FilesystemLimits.transactionsAtOnce, !waiting.isEmpty else {
            return
        }
        isStarting = true
        waiting.removeFirst().continuation.resume(returning: true)
    }

    /// Waits for a while, or until one of the mount's own ends.
    private func rest(_ duration: Duration) async throws(XenstoreError) {
        lastNumber += 1
        let number = lastNumber
        nonisolated(unsafe) let turns = self
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume() }
                turns.paused = (number, continuation)
                turns.after(duration) { if turns.paused?.number == number { turns.endPause() } }
            }
        } onCancel: {
            turns.endPause()
        }
        if Task.isCancelled { throw .cancelled }
    }

    private func endPause() {
        let ended = paused
        paused = nil
        ended?.continuation.resume()
    }
}
