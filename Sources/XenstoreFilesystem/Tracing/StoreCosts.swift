/// Which request of the kernel a task works for, while requests are traced.
public enum TracedRequest {
    /// The number of the request; nil where nobody traces, or the task works for none.
    @TaskLocal public static var number: UInt64?
}

/// What requests of the kernel have cost in requests to the store, while they are traced.
struct StoreCosts {
    private var costs: [UInt64: StoreCost] = [:]

    var isEmpty: Bool { costs.isEmpty }

    mutating func begin(_ number: UInt64) { costs[number] = StoreCost() }

    mutating func end(_ number: UInt64) -> StoreCost {
        costs.removeValue(forKey: number) ?? StoreCost()
    }

    /// Adds to what the current task's request has cost.
    mutating func add(requests: Int, waited: Duration) {
        guard let number = TracedRequest.number else { return }
        // A task that goes on after the answer counts no more.
        costs[number]?.requests += requests
        costs[number]?.waited += waited
    }
}

/// What a request of the kernel has cost in requests to the store.
public struct StoreCost: Sendable {
    /// Requests that were sent.
    public internal(set) var requests = 0
    /// How long the answers took.
    public internal(set) var waited = Duration.zero

    public init() {}
}
