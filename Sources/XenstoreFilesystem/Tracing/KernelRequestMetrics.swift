/// How many requests of the kernel were answered, and how long that took: a histogram for each
/// operation.
public struct KernelRequestMetrics {
    /// The upper bounds of the histogram's buckets, in microseconds. The last bucket has none.
    public static let bounds = [25, 100, 250, 1000, 2500, 10_000, 100_000, 1_000_000, 5_000_000]

    /// The histogram of one operation.
    public struct Histogram {
        /// How many requests were in each bucket, not counting those of the buckets before.
        public fileprivate(set) var counts = [Int](repeating: 0, count: bounds.count + 1)
        public fileprivate(set) var total = Duration.zero

        public var count: Int { counts.reduce(0, +) }
    }

    private var histograms = [Histogram](
        repeating: Histogram(),
        count: KernelOperation.allCases.count
    )

    public init() {}

    /// Counts a request that was answered.
    public mutating func note(_ operation: KernelOperation, took time: Duration) {
        let (seconds, attoseconds) = time.components
        let micros = Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
        var bucket = 0
        while bucket < Self.bounds.count, micros >= Self.bounds[bucket] { bucket += 1 }
        histograms[operation.rawValue].counts[bucket] += 1
        histograms[operation.rawValue].total += time
    }

    public subscript(operation: KernelOperation) -> Histogram { histograms[operation.rawValue] }
}
