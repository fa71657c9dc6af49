import Reactor
public import SystemPackage
public import XenstoreProtocol

/// A ``StoreConnection`` that any task may use, from any thread, where a
/// `XenstoreAccess` is wanted.
///
/// It runs a thread of its own for the connection. ``Xenstore`` does more, and with less to
/// write.
public final class SharedConnection: XenstoreAccess, Sendable {
    public let address: StoreAddress
    public let payloadLimit: Int
    private let loop: EventLoop
    private let connection: LoopBound<StoreConnection>

    /// Connects.
    ///
    /// - Throws: the error of open(2), socket(2) or connect(2), or of starting a thread.
    public init(
        to address: StoreAddress,
        configuration: ConnectionConfiguration = ConnectionConfiguration()
    ) async throws(Errno) {
        let loop = try EventLoop.startThread()
        self.loop = loop
        self.address = address
        payloadLimit = Transport.payloadLimit(of: address)
        do throws(Errno) {
            connection = try await withTaskExecutorPreference(loop) { () async throws(Errno) in
                let connection = try StoreConnection(
                    to: address,
                    on: loop,
                    configuration: configuration
                )
                return LoopBound(connection, to: loop)
            }
        } catch {
            loop.stop()
            throw error
        }
    }

    deinit {
        let loop = loop
        connection.later { connection in
            connection.close()
            loop.stop()
        }
    }

    public func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        try await withTaskExecutorPreference(loop) { () async throws(XenstoreError) in
            try await connection.value.send(request, in: transaction)
        }
    }

    public func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        await withTaskExecutorPreference(loop) {
            await connection.value.send(requests, in: transaction)
        }
    }

    public func post(_ request: Request, in transaction: TransactionID) {
        connection.later { $0.post(request, in: transaction) }
    }
}
