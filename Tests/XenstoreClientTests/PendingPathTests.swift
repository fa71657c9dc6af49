import Testing
import XenstoreClient
import XenstoreProtocol

/// What waits for the reader of a watch.
struct PendingPathTests {
    private func path(_ number: Int) -> XenstorePath { XenstorePath(unchecked: "/k/\(number)") }

    /// Adds paths, and gives back which of them there was room for.
    private func insert(_ numbers: [Int], into pending: inout PendingPaths) -> [Int] {
        numbers.filter { pending.insert(path($0)) }
    }

    private func takeAll(_ pending: inout PendingPaths) -> [XenstorePath] {
        var paths: [XenstorePath] = []
        while let path = pending.takeFirst() { paths.append(path) }
        return paths
    }

    @Test func aReaderThatIsAlwaysBehindGetsAllInTheirOrder() {
        var pending = PendingPaths(limit: 4)
        #expect(insert([0, 1, 2], into: &pending) == [0, 1, 2])
        for number in 3..<100 {
            #expect(insert([number], into: &pending) == [number])
            let first = pending.takeFirst()
            #expect(first == path(number - 3))
        }
        #expect(takeAll(&pending) == [97, 98, 99].map(path))
    }

    @Test func eachWaitsOnce() {
        var pending = PendingPaths(limit: 4)
        #expect(insert([1, 2, 1], into: &pending) == [1, 2, 1])
        let first = pending.takeFirst()
        #expect(first == path(1))
        #expect(insert([1], into: &pending) == [1])
        #expect(takeAll(&pending) == [2, 1].map(path))
    }

    @Test func noMoreWaitThanMay() {
        var pending = PendingPaths(limit: 2)
        #expect(insert([1, 2, 3], into: &pending) == [1, 2])
        pending.replaceAll(with: .root)
        #expect(takeAll(&pending) == [.root])
    }
}
