/// The threads that the kernel lets open a file once more, and no more than once: it was answered
/// ESTALE, and looks the name up again first.
struct OpenRetries {
    private var begun: [CallerID: Duration] = [:]

    var isEmpty: Bool { begun.isEmpty }

    mutating func begin(by caller: CallerID, at time: Duration) {
        if begun.count >= FilesystemLimits.threadStats { begun = [:] }
        begun[caller] = time
    }

    func contains(_ caller: CallerID) -> Bool { begun[caller] != nil }

    /// - Returns: whether the thread was to open a file once more.
    mutating func end(by caller: CallerID) -> Bool {
        !begun.isEmpty && begun.removeValue(forKey: caller) != nil
    }

    /// Whether a thread may still come: others have found no file, or were killed.
    func isInFlight(at time: () -> Duration) -> Bool {
        guard !begun.isEmpty else { return false }
        let now = time()
        return begun.values.contains { now - $0 < FilesystemLimits.openRetry }
    }
}

/// What waits for the end of what programs do, one at a time.
final class Quiet {
    private var waiter: CheckedContinuation<Void, Never>?

    /// Something has ended.
    func note() {
        guard let waiter else { return }
        self.waiter = nil
        waiter.resume()
    }

    /// Waits as long as something goes on.
    ///
    /// - Parameter limit: begins the time for which it waits at most, and runs what ends that.
    func wait(while isBusy: () -> Bool, within limit: (@escaping () -> Void) -> Void) async {
        guard isBusy() else { return }
        var isInTime = true
        limit { [self] in
            isInTime = false
            note()
        }
        while isInTime, isBusy() {
            await withCheckedContinuation { waiter = $0 }
        }
    }
}
