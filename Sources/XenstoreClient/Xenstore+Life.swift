import XenstoreProtocol

extension Xenstore {
    /// Waits for the requests that are on their way, then lets the connection go. Until
    /// ``resume(timeout:)`` no event of a watch is delivered, and new requests wait.
    ///
    /// For a domain that is suspended, migrated or saved. Transactions that are open are lost, and
    /// end as conflicts.
    ///
    /// - Throws: ``ClientError`` if the caller is cancelled, which leaves the client running, or if
    ///   the client is closed.
    public func suspend() async throws(ClientError) {
        try await onLoop { (core) async throws(ClientError) in
            do throws(XenstoreError) {
                try await core.suspend()
            } catch {
                throw ClientError(.resume, error == .cancelled ? .cancelled : .disconnected)
            }
        }
    }

    /// Connects again and sets all watches again, each of which tells of its path at once; then
    /// the requests that waited go.
    ///
    /// - Throws: ``ClientError`` if no connection came in time: in `timeout`, or the
    ///   configuration's ``ConnectionConfiguration/reconnectPatience``. It goes on trying.
    public func resume(timeout: Duration? = nil) async throws(ClientError) {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        try await onLoop { (core) async throws(ClientError) in
            do throws(XenstoreError) {
                try await core.resume(until: deadline)
            } catch {
                throw ClientError(.resetWatches, error == .cancelled ? .cancelled : .disconnected)
            }
        }
    }

    /// Ends the connection. What waits fails, streams of watches end, and later operations fail
    /// with ``ClientError/Reason/disconnected``. Dropping the client does the same.
    public func close() async {
        await onLoop { core in core.close() }
    }

    /// Ends all watches of this client, whose streams end, and makes its open transactions
    /// conflicts. The corresponding operation is RESET_WATCHES.
    public func resetWatches() async throws(ClientError) {
        try await onLoop { (core) async throws(ClientError) in
            do throws(XenstoreError) {
                _ = try await core.perform(.resetWatches)
            } catch {
                throw ClientError(Request.resetWatches, error)
            }
            core.dropWatchesAndTransactions()
        }
    }
}
