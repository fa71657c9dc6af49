import Reactor
import XenstoreClient
import XenstoreProtocol

/// What is asked of one run of the program, and how it is done.
struct Measurement {
    /// How the requests are kept on their way.
    enum Style: String {
        /// Batches of requests, each sent as a whole when the one before it is answered. Its floor
        /// is `store-loop batches`.
        case batches
        /// As many tasks as requests on their way, each of which sends one and waits for it. Its
        /// floor is `store-loop window`.
        case tasks
        /// One task that reads with a ``Xenstore``, one after the other. Its floor is
        /// `store-loop batches` with a depth of 1.
        case client
        /// As many tasks as requests on their way, all with one ``Xenstore``. Its floor is
        /// `store-loop window`.
        case shared
    }

    let style: Style
    let address: StoreAddress
    let path: XenstorePath
    let count: Int
    let depth: Int

    init?(arguments: ArraySlice<String>) {
        let arguments = Array(arguments)
        guard arguments.count == 5, let style = Style(rawValue: arguments[0]),
            let path = try? XenstorePath(arguments[2]),
            let count = Int(arguments[3]), count > 0,
            let depth = Int(arguments[4]), depth > 0
        else { return nil }
        self.style = style
        address = .socket(arguments[1])
        self.path = path
        self.count = count
        self.depth = depth
    }

    /// Reads on a loop of its own, which runs on the calling thread.
    ///
    /// - Returns: the line to print.
    func run() throws -> String {
        let loop = try EventLoop()
        let store = LoopBound(try StoreConnection(to: address, on: loop), to: loop)
        let client = try Xenstore(to: address, on: loop)
        let outcome = LoopBound(Outcome(), to: loop)
        Task.immediate(executorPreference: loop) {
            do {
                try await read(count / 10, from: store, client)  // The warm-up.
                let begin = ContinuousClock.now
                try await read(count, from: store, client)
                outcome.value.result = .success(ContinuousClock.now - begin)
            } catch {
                outcome.value.result = .failure(error)
            }
            loop.stop()
        }
        loop.run()
        let rate = Double(count) / (try outcome.value.result.get() / .seconds(1))
        return "count=\(count) depth=\(depth) reads_per_second=\(Int(rate))"
    }

    private func read(
        _ count: Int,
        from store: LoopBound<StoreConnection>,
        _ client: Xenstore
    ) async throws {
        switch style {
        case .batches: try await readInBatches(count, from: store.value)
        case .tasks: try await readInTasks(count) { _ = try await store.value.read(path) }
        case .client: for _ in 0..<count { _ = try await client.read(path) }
        case .shared: try await readInTasks(count) { _ = try await client.read(path) }
        }
    }

    private func readInBatches(
        _ count: Int,
        from store: StoreConnection
    ) async throws(XenstoreError) {
        var missing = count
        while missing > 0 {
            let batch = min(missing, depth)
            let requests = Array(repeating: Request.read(path), count: batch)
            for answer in await store.send(requests, in: .none) {
                _ = try answer.get()
            }
            missing -= batch
        }
    }

    private func readInTasks(
        _ count: Int,
        _ read: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup { group in
            for task in 0..<depth {
                // The first tasks take what is left over by the division.
                let share = count / depth + (task < count % depth ? 1 : 0)
                group.addTask {
                    for _ in 0..<share { try await read() }
                }
            }
            try await group.waitForAll()
        }
    }
}

/// Where the task on the loop leaves what it measured.
private final class Outcome {
    var result: Result<Duration, any Error> = .failure(XenstoreError.cancelled)
}
