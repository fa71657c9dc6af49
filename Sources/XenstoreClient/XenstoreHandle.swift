public import XenstoreProtocol

/// What operations go through: immediate, each by itself, or inside a transaction.
///
/// So a function that takes a handle works in both. Handles are values and cost nothing.
public struct XenstoreHandle: XenstoreOperations {
    let client: Xenstore
    let transaction: XenstoreTransaction?
    private var timeout: Duration?
    private var deadline: ContinuousClock.Instant?
    /// Where a condition notes what it depends on.
    private let dependencies: Dependencies?

    init(
        client: Xenstore,
        transaction: XenstoreTransaction? = nil,
        dependencies: Dependencies? = nil,
        deadline: ContinuousClock.Instant? = nil
    ) {
        self.client = client
        self.transaction = transaction
        self.dependencies = dependencies
        self.deadline = deadline
    }

    public var handle: XenstoreHandle { self }

    /// Whether operations are part of a transaction.
    public var isInTransaction: Bool { transaction != nil }

    /// The same, with a time that each operation may take. One that takes longer fails with
    /// ``ClientError/Reason/timedOut``, and is not taken back: the store may still carry it out.
    public func within(_ timeout: Duration) -> XenstoreHandle {
        var handle = self
        handle.timeout = timeout
        return handle
    }

    /// Sends any request of the protocol, and waits for its answer.
    ///
    /// - Returns: the payload of the reply.
    public func perform(_ request: Request) async throws(ClientError) -> [UInt8] {
        do throws(XenstoreError) {
            return try await send(request)
        } catch {
            throw ClientError(request, error)
        }
    }

    /// Sends requests together, without waiting in between, and waits for all answers.
    ///
    /// - Returns: the payloads, or why there is none, in the order of the requests.
    public func perform(_ requests: [Request]) async -> [Result<[UInt8], ClientError>] {
        let answers = await send(requests)
        return zip(requests, answers).map { request, answer in
            answer.mapError { ClientError(request, $0) }
        }
    }

    func send(_ request: Request) async throws(XenstoreError) -> [UInt8] {
        let (transaction, limit) = (openTransaction(for: request), limit)
        if let dependencies, let path = request.path, request.isReadOnly {
            try await dependencies.note([path], until: limit)
        }
        return try await client.onLoop { (core) async throws(XenstoreError) in
            try await core.perform(request, in: transaction, until: limit)
        }
    }

    func send(_ requests: [Request]) async -> [Result<[UInt8], XenstoreError>] {
        let (transaction, limit) = (transaction?.open, limit)
        if let dependencies {
            do throws(XenstoreError) {
                let paths = requests.filter(\.isReadOnly).compactMap(\.path)
                try await dependencies.note(paths, until: limit)
            } catch {
                return requests.map { _ in .failure(error) }
            }
        }
        return await client.onLoop { core in
            await core.perform(requests, in: transaction, until: limit)
        }
    }

    /// What is about no key is done outside: daemons check the number of a transaction everywhere.
    private func openTransaction(for request: Request) -> OpenTransaction? {
        request.path == nil ? nil : transaction?.open
    }

    private var limit: ContinuousClock.Instant? {
        guard let timeout else { return deadline }
        let own = ContinuousClock.now + timeout
        return deadline.map { min($0, own) } ?? own
    }
}
