/// The file of which the inotify agent was given the size last, until the kernel has taken note of
/// it: it does so when the agent runs again. A program that opens the file meanwhile could find its
/// end moved while it reads by sendfile(2).
final class InjectedSize {
    private var node: KeyNode?
    /// The size, if the kernel is sure to take it, and what it takes the file to be at least until
    /// then.
    private var size: (given: Int, before: UInt16)?
    private var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter = 0

    /// The agent makes a call that it will be given the size of a file for.
    func begin(_ node: KeyNode) {
        (self.node, size) = (node, nil)
    }

    /// The agent is given the size of a file.
    ///
    /// - Parameter isSure: whether the kernel takes it in any case, as it does with a change, and
    ///   not with a lookup.
    func give(_ size: Int, of node: KeyNode, isSure: Bool) {
        self.node = node
        self.size = isSure ? (size, node.reportedSize) : nil
    }

    /// The agent makes another call, or none any more.
    func acknowledge() {
        // Where a program was given another size meanwhile, it is not known which came last.
        if let node, let size, node.reportedSize == size.before { node.reportSize(size.given) }
        (node, size) = (nil, nil)
        let waiters = waiters
        self.waiters = [:]
        for waiter in waiters.values { waiter.resume() }
    }

    func isPending(_ node: KeyNode) -> Bool { self.node === node }

    /// Waits until the kernel has taken note of a file's size, if it is to.
    ///
    /// - Parameter limit: begins the time for which it waits at most, and runs what ends that.
    func waitUntilAcknowledged(_ node: KeyNode, within limit: (@escaping () -> Void) -> Void) async
    {
        guard isPending(node) else { return }
        let number = nextWaiter
        nextWaiter += 1
        await withCheckedContinuation { waiter in
            waiters[number] = waiter
            limit { [self] in waiters.removeValue(forKey: number)?.resume() }
        }
    }
}
