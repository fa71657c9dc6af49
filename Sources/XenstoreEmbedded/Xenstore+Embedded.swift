public import Reactor
public import SystemPackage
public import XenstoreClient
public import XenstoreProtocol
public import XenstoreStore

/// Clients of a store in the same process, for tests and for machines without Xen.
extension Xenstore {
    /// Makes a store in this process, with a thread of its own, and connects to it.
    ///
    /// - Parameters:
    ///   - domain: whose rights the client has.
    ///   - makeStore: makes the store, on that thread.
    /// - Throws: the error of starting a thread.
    public convenience init(
        embeddedAs domain: DomainID = .privileged,
        _ makeStore: @escaping @Sendable () -> Store = { Store() }
    ) async throws(Errno) {
        try await self.init(at: nil, ConnectionConfiguration()) { loop in
            InProcessChannel(host: StoreHost(store: makeStore()), as: domain, on: loop)
        }
    }

    /// Connects to a store in this process. To be called on the thread of its loop.
    public convenience init(
        to host: StoreHost,
        as domain: DomainID = .privileged,
        on loop: EventLoop
    ) {
        let channel = InProcessChannel(host: host, as: domain, on: loop)
        self.init(over: channel, at: nil, on: loop, ConnectionConfiguration())
    }
}
