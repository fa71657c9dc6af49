/// How many requests of the kernel were answered, and how long that took: a histogram for each
/// operation.
public struct KernelRequestMetrics {
    /// The upper bounds of the histogram's buckets, in microseconds. The last bucket has none.
    public static let bounds = [25, 100, 250, 1000, 2500, 10_000, 100_000, 1_000_000, 5_000_000]

    /// The histogram of one operation.
    public struct Histogram {
        /// How many requests were in each bucket, not counting those of the buckets before.
        public let counts: ArraySlice<Int>
        /// The time of all of them.
        public let total: Duration

        public var count: Int { counts.reduce(0, +) }
    }

    private static let buckets = bounds.count + 1
    /// The buckets of all operations, one operation after the other.
    private var counts = [Int](repeating: 0, count: KernelOperation.allCases.count * buckets)
    private var nanoseconds = [Int64](repeating: 0, count: KernelOperation.allCases.count)

    public init() {}

    /// Counts a request that was answered.
    public mutating func note(_ operation: KernelOperation, took nanoseconds: Int64) {
        let micros = nanoseconds / 1000
        var bucket = 0
        while bucket < Self.bounds.count, micros >= Self.bounds[bucket] { bucket += 1 }
        counts[operation.rawValue * Self.buckets + bucket] += 1
        self.nanoseconds[operation.rawValue] += nanoseconds
    }

    public subscript(operation: KernelOperation) -> Histogram {
        let first = operation.rawValue * Self.buckets
        return Histogram(
            counts: counts[first..<(first + Self.buckets)],
            total: .nanoseconds(nanoseconds[operation.rawValue])
        )
    }
}
