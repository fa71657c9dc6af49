import XenstoreProtocol

extension ClientCore {
    /// Has the store set a watch; takes the entry away where it does not.
    func set(
        _ entry: WatchEntry,
        until deadline: ContinuousClock.Instant? = nil
    ) async throws(XenstoreError) {
        do throws(XenstoreError) {
            do throws(XenstoreError) {
                _ = try await perform(watches.request(for: entry), until: deadline)
            } catch .refused(.invalid) where entry.depth != nil && !entry.path.isSpecial {
                entry.omitsDepth = true
                _ = try await perform(watches.request(for: entry), until: deadline)
            }
            entry.isArmed = true
        } catch {
            _ = watches.remove(entry)
            // Nobody knows whether the store has set it.
            if case .refused = error {} else { post(unwatchRequest(entry)) }
            throw error
        }
    }

    /// The next event of a watch; nil at its end, and for who is cancelled.
    func nextEvent(of entry: WatchEntry) async throws(ClientError) -> XenstorePath? {
        while true {
            if let path = entry.takeFirst() { return path }
            if entry.hasEnded {
                if let failure = entry.failure { throw failure }
                return nil
            }
            entry.signal.clear()
            do throws(XenstoreError) {
                try await entry.signal.wait()
            } catch {
                return nil
            }
        }
    }

    /// Ends a watch that nobody listens to any more.
    func remove(_ entry: WatchEntry) {
        guard watches.remove(entry) else { return }
        post(unwatchRequest(entry))
    }

    /// Ends a watch, and waits for the store to have done so.
    func endWatch(_ entry: WatchEntry) async throws(ClientError) {
        guard !entry.hasEnded else { return }
        watches.end(entry, nil)
        let request = unwatchRequest(entry)
        do throws(XenstoreError) {
            _ = try await perform(request)
        } catch .refused(.noEntry), .disconnected {
            // It went with its connection.
        } catch {
            throw ClientError(request, error)
        }
    }

    private func unwatchRequest(_ entry: WatchEntry) -> Request {
        .unwatch(entry.path, token: entry.token)
    }
}
