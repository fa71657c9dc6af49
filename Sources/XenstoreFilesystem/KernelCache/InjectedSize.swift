/// The file of which the inotify agent was given the size last, until the kernel has taken note of
/// it: it does so when the agent runs again. Opening the file waits for that. Else the kernel could
/// move its end while a program reads it by sendfile(2).
final class InjectedSize {
    private var node: KeyNode?
    /// The size, if the kernel is sure to take it and a program was given none since.
    private var sureSize: Int?
    /// The files of which the kernel has taken the size, by their numbers, and when it had.
    private var taken: [UInt64: Duration] = [:]
    private var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter = 0

    /// The agent is given the size of a file.
    ///
    /// - Parameter isSure: whether the kernel takes it in any case, as it does with a change, and
    ///   not with a lookup.
    func give(_ size: Int, of node: KeyNode, isSure: Bool) {
        self.node = node
        sureSize = isSure ? size : nil
    }

    /// The agent makes another call, or none any more.
    func acknowledge(at time: () -> Duration) {
        guard let node else { return }
        if let sureSize { node.reportSize(sureSize) }
        (self.node, sureSize) = (nil, nil)
        note(node, at: time())
        let waiters = waiters
        self.waiters = [:]
        for waiter in waiters.values { waiter.resume() }
    }

    /// Whether the agent was given the size of a file that the kernel may not have taken yet.
    func isPending(_ node: KeyNode) -> Bool { self.node === node }

    /// Whether the kernel may leave what a program is given as the size of a file now, as it does
    /// with an answer to what it asked before it took the size that the agent was given.
    func mayPrevail(_ node: KeyNode, at time: () -> Duration) -> Bool {
        if self.node === node {
            // It is not known which of the two comes last.
            sureSize = nil
            return true
        }
        guard !taken.isEmpty, let last = taken[node.id] else { return false }
        if time() - last < FilesystemLimits.overtaking { return true }
        taken[node.id] = nil
        return false
    }

    private func note(_ node: KeyNode, at time: Duration) {
        if taken.count >= FilesystemLimits.injectedSizes {
            taken = taken.filter { time - $0.value < FilesystemLimits.overtaking }
            if taken.count >= FilesystemLimits.injectedSizes { taken = [:] }
        }
        taken[node.id] = time
    }

    /// Waits until the kernel has taken note of the size of a file that the agent was given.
    ///
    /// - Parameter limit: begins the time for which it waits at most, and runs what ends that.
    func waitUntilAcknowledged(_ node: KeyNode, within limit: (@escaping () -> Void) -> Void) async
    {
        guard isPending(node) else { return }
        let number = nextWaiter
        nextWaiter += 1
        var isInTime = true
        limit { [self] in
            isInTime = false
            waiters.removeValue(forKey: number)?.resume()
        }
        // It may be given the next one as soon as it has taken this one.
        while isPending(node), isInTime {
            await withCheckedContinuation { waiters[number] = $0 }
        }
    }
}
