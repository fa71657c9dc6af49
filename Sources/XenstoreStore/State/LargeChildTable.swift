/// Many children of one key: the nodes in chunks in the order of their creation, and an index of
/// their names by hash where there is more than one chunk.
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

    /// Nodes, and a byte of each one's hash: what is searched by name is mostly found by these,
    /// which stand close together.
    struct Chunk {
        fileprivate(set) var nodes: [Node] = []
        fileprivate var tags: [UInt8] = []

        fileprivate mutating func append(_ node: Node, _ hash: NameHash) {
            nodes.append(node)
            tags.append(hash.tag)
        }

        fileprivate func offset(
            of name: UnsafeBufferPointer<UInt8>,
            _ hash: NameHash
        ) -> Int? {
            let tag = hash.tag
            for offset in 0..<tags.count
            where tags[offset] == tag && nodes[offset].hasName(name) {
                return offset
            }
            return nil
        }
    }

    /// The hash of a name, and by 48 bits of its creation the node: chunks are sorted by it. At a
    /// million changes a second these last for eight years.
    private struct IndexEntry {
        private static let creationMask: UInt64 = 1 << 48 - 1
        private let bits: UInt64

        init(_ hash: NameHash, creation: UInt64) {
            precondition(creation <= Self.creationMask, "more changes than a store can count")
            bits = UInt64(hash.check) << 48 | creation
        }

        var creation: UInt64 { bits & Self.creationMask }

        func mayBe(_ hash: NameHash) -> Bool { bits >> 48 == UInt64(hash.check) }
    }

    private struct Position {
        let chunk: Int
        let offset: Int
    }

    private(set) var chunks: [Chunk] = []
    private(set) var count = 0
    /// As many as a power of two; none while there is one chunk.
    private var buckets: [[IndexEntry]] = []

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
    var nodes: [Node] { chunks.flatMap(\.nodes) }

    subscript(name: UnsafeBufferPointer<UInt8>) -> Node? {
        position(of: name, NameHash(name)).map { chunks[$0.chunk].nodes[$0.offset] }
    }

    func uniqueChild(named name: UnsafeBufferPointer<UInt8>) -> Node? {
        guard let found = position(of: name, NameHash(name)) else { return nil }
        if !isKnownUniquelyReferenced(&chunks[found.chunk].nodes[found.offset]) {
            let shared = chunks[found.chunk].nodes[found.offset]
            chunks[found.chunk].nodes[found.offset] = shared.copy()
        }
        return chunks[found.chunk].nodes[found.offset]
    }

    func append(_ node: Node) {
        let hash = node.withName { NameHash($0) }
        if chunks.last.map({ $0.nodes.count < Self.maximumChunk }) != true {
            chunks.append(Chunk())
        }
        chunks[chunks.count - 1].append(node, hash)
        count += 1
        if buckets.isEmpty, chunks.count > 1 {
            resizeIndex(1)
        } else if !buckets.isEmpty {
            addToIndex(node, hash)
        }
        if count > buckets.count * Self.bucketLoad.upperBound, !buckets.isEmpty {
            resizeIndex(buckets.count * 2)
        }
    }

    func remove(named name: UnsafeBufferPointer<UInt8>) -> Node? {
        let hash = NameHash(name)
        guard let found = position(of: name, hash) else { return nil }
        let node = chunks[found.chunk].nodes.remove(at: found.offset)
        chunks[found.chunk].tags.remove(at: found.offset)
        count -= 1
        compact(around: found.chunk)
        guard !buckets.isEmpty else { return node }
        if chunks.count == 1 {
            buckets = []
        } else {
            buckets[bucket(of: hash)].removeAll { $0.creation == node.creation }
            if buckets.count > 1, count < buckets.count * Self.bucketLoad.lowerBound {
                resizeIndex(buckets.count / 2)
            }
        }
        return node
    }

    /// Joins a chunk that lost a node with its neighbour, so that removing most children leaves
    /// few chunks.
    private func compact(around chunk: Int) {
        if chunks[chunk].nodes.isEmpty, chunks.count > 1 {
            chunks.remove(at: chunk)
        } else if chunk + 1 < chunks.count,
            chunks[chunk].nodes.count + chunks[chunk + 1].nodes.count <= Self.mergedChunk
        {
            chunks[chunk].nodes.append(contentsOf: chunks[chunk + 1].nodes)
            chunks[chunk].tags.append(contentsOf: chunks[chunk + 1].tags)
            chunks.remove(at: chunk + 1)
        }
    }

    // MARK: Index

    private func bucket(of hash: NameHash) -> Int { hash.bucket & (buckets.count - 1) }

    private func addToIndex(_ node: Node, _ hash: NameHash) {
        buckets[bucket(of: hash)].append(IndexEntry(hash, creation: node.creation))
    }

    private func resizeIndex(_ bucketCount: Int) {
        buckets = Array(repeating: [], count: bucketCount)
        for chunk in chunks {
            for node in chunk.nodes { addToIndex(node, node.withName { NameHash($0) }) }
        }
    }

    private func position(
        of name: UnsafeBufferPointer<UInt8>,
        _ hash: NameHash
    ) -> Position? {
        if chunks.count == 1 {
            return chunks[0].offset(of: name, hash).map { Position(chunk: 0, offset: $0) }
        }
        guard !buckets.isEmpty else { return nil }
        for entry in buckets[bucket(of: hash)] where entry.mayBe(hash) {
            let found = position(of: entry.creation)
            if chunks[found.chunk].nodes[found.offset].hasName(name) { return found }
        }
        return nil
    }

    private func position(of creation: UInt64) -> Position {
        let chunk = firstIndex(in: 0..<chunks.count) { index in
            chunks[index].nodes.last.map { $0.creation >= creation } ?? false
        }
        let offset = firstIndex(in: 0..<chunks[chunk].nodes.count) { index in
            chunks[chunk].nodes[index].creation >= creation
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

/// The hash of a name, in the parts that a table of children needs. Of each process its own, so
/// that nobody can choose names that meet.
private struct NameHash {
    private let bits: UInt64

    init(_ name: UnsafeBufferPointer<UInt8>) {
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(name))
        bits = UInt64(UInt(bitPattern: hasher.finalize()))
    }

    var tag: UInt8 { UInt8(truncatingIfNeeded: bits) }
    var bucket: Int { Int(truncatingIfNeeded: bits >> 8 & 0xFF_FFFF) }
    var check: UInt16 { UInt16(truncatingIfNeeded: bits >> 48) }
}
