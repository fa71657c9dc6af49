/// Many children of one key: the nodes in chunks in the order of their creation, and an index of
/// their names by hash.
///
/// Arrays of small arrays, because copying the outer one shares the inner ones: whoever changes
/// one node of a shared table copies one reference per chunk and the nodes of one chunk, and
/// leaves the index alone unless a name comes or goes.
final class LargeChildTable {
    private static let maximumChunk = 128
    /// Neighbours that together are no longer than this become one.
    private static let mergedChunk = 64
    /// The names that a bucket of the index holds on average, at most and at least.
    private static let bucketLoad = 8...32

    private struct IndexEntry {
        let hash: Int
        /// Finds the node: chunks are sorted by it.
        let creation: UInt64
    }

    private struct Position {
        let chunk: Int
        let offset: Int
    }

    private(set) var chunks: [[Node]] = []
    private(set) var count = 0
    /// As many as a power of two.
    private var buckets: [[IndexEntry]] = [[]]

    init(_ nodes: [Node]) {
        for node in nodes { append(node) }
    }

    private init(copying table: LargeChildTable) {
        chunks = table.chunks
        count = table.count
        buckets = table.buckets
    }

    func copy() -> LargeChildTable { LargeChildTable(copying: self) }

    /// All children in one array.
    var nodes: [Node] { chunks.flatMap(\.self) }

    subscript(name: String) -> Node? {
        position(of: name).map { chunks[$0.chunk][$0.offset] }
    }

    func uniqueChild(named name: String) -> Node? {
        guard let found = position(of: name) else { return nil }
        if !isKnownUniquelyReferenced(&chunks[found.chunk][found.offset]) {
            let shared = chunks[found.chunk][found.offset]
            chunks[found.chunk][found.offset] = shared.copy()
        }
        return chunks[found.chunk][found.offset]
    }

    func append(_ node: Node) {
        if let last = chunks.indices.last, chunks[last].count < Self.maximumChunk {
            chunks[last].append(node)
        } else {
            chunks.append([node])
        }
        count += 1
        if count > buckets.count * Self.bucketLoad.upperBound {
            resizeIndex(buckets.count * 2)
        } else {
            addToIndex(node)
        }
    }

    func remove(named name: String) -> Node? {
        guard let found = position(of: name) else { return nil }
        let node = chunks[found.chunk].remove(at: found.offset)
        count -= 1
        compact(around: found.chunk)
        buckets[bucket(of: name.hashValue)].removeAll { $0.creation == node.creation }
        if buckets.count > 1, count < buckets.count * Self.bucketLoad.lowerBound {
            resizeIndex(buckets.count / 2)
        }
        return node
    }

    /// Joins a chunk that lost a node with its neighbour, so that removing most children leaves
    /// few chunks.
    private func compact(around chunk: Int) {
        if chunks[chunk].isEmpty {
            chunks.remove(at: chunk)
        } else if chunk + 1 < chunks.count,
            chunks[chunk].count + chunks[chunk + 1].count <= Self.mergedChunk
        {
            chunks[chunk].append(contentsOf: chunks[chunk + 1])
            chunks.remove(at: chunk + 1)
        }
    }

    private func bucket(of hash: Int) -> Int { hash & (buckets.count - 1) }

    private func addToIndex(_ node: Node) {
        let hash = node.name.hashValue
        buckets[bucket(of: hash)].append(IndexEntry(hash: hash, creation: node.creation))
    }

    private func resizeIndex(_ bucketCount: Int) {
        buckets = Array(repeating: [], count: bucketCount)
        for chunk in chunks {
            for node in chunk { addToIndex(node) }
        }
    }

    private func position(of name: String) -> Position? {
        let hash = name.hashValue
        for entry in buckets[bucket(of: hash)] where entry.hash == hash {
            let found = position(of: entry.creation)
            if chunks[found.chunk][found.offset].name == name { return found }
        }
        return nil
    }

    private func position(of creation: UInt64) -> Position {
        let chunk = firstIndex(in: 0..<chunks.count) { index in
            chunks[index].last.map { $0.creation >= creation } ?? false
        }
        let offset = firstIndex(in: 0..<chunks[chunk].count) { index in
            chunks[chunk][index].creation >= creation
        }
        return Position(chunk: chunk, offset: offset)
    }

    /// Searches a range, in the first part of which `isReached` is false and in the rest true, for
    /// the border.
    private func firstIndex(in range: Range<Int>, where isReached: (Int) -> Bool) -> Int {
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = (low + high) / 2
            if isReached(middle) {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}
