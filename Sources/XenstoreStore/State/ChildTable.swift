/// The children of a key in the order of their creation, found by name.
///
/// A value: copies share their content until one of them changes. Few children stand in one array,
/// many in a ``LargeChildTable``, so that a leaf costs next to nothing, and a change in a shared
/// table of 100 000 copies a few hundred references.
struct ChildTable {
    /// As long as there are at most this many children, looking at each is fastest.
    private static let maximumFew = 16
    /// Below this a large table becomes small again; far enough from the limit not to flutter.
    private static let minimumMany = 8

    private var few: [Node] = []
    private var many: LargeChildTable?
    /// Bytes of all names, each with the NUL that ends it: the size of the list on the wire.
    private(set) var nameBytes = 0

    var count: Int { many?.count ?? few.count }

    var isEmpty: Bool { count == 0 }

    /// The child of that name.
    subscript(name: UnsafeBufferPointer<UInt8>) -> Node? {
        if let many { return many[name] }
        return index(of: name).map { few[$0] }
    }

    /// The child of that name, for changing it: copied first if another table holds it too.
    mutating func uniqueChild(named name: UnsafeBufferPointer<UInt8>) -> Node? {
        if many != nil {
            return uniqueMany()?.uniqueChild(named: name)
        }
        guard let index = index(of: name) else { return nil }
        if !isKnownUniquelyReferenced(&few[index]) {
            few[index] = few[index].copy()
        }
        return few[index]
    }

    /// Adds a child, the youngest, whose name no other has.
    mutating func append(_ node: Node) {
        nameBytes += node.nameLength + 1
        if many != nil {
            uniqueMany()?.append(node)
        } else if few.count < Self.maximumFew {
            few.append(node)
        } else {
            many = LargeChildTable(few + [node])
            few = []
        }
    }

    /// Takes a child away.
    mutating func remove(named name: UnsafeBufferPointer<UInt8>) -> Node? {
        let removed: Node?
        if many != nil {
            let table = uniqueMany()
            removed = table?.remove(named: name)
            if let table, table.count < Self.minimumMany {
                few = table.nodes
                many = nil
            }
        } else {
            removed = index(of: name).map { few.remove(at: $0) }
        }
        if removed != nil { nameBytes -= name.count + 1 }
        return removed
    }

    /// Visits the children in the order of their creation.
    func forEach<Failure: Error>(_ body: (Node) throws(Failure) -> Void) throws(Failure) {
        if let many {
            for chunk in many.chunks {
                for node in chunk.nodes { try body(node) }
            }
        } else {
            for node in few { try body(node) }
        }
    }

    /// The names, each ended by a NUL, as DIRECTORY answers them.
    func encodedNames() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(nameBytes)
        forEach { node in
            node.withName { bytes.append(contentsOf: $0) }
            bytes.append(0)
        }
        return bytes
    }

    private func index(of name: UnsafeBufferPointer<UInt8>) -> Int? {
        few.firstIndex { $0.hasName(name) }
    }

    private mutating func uniqueMany() -> LargeChildTable? {
        if !isKnownUniquelyReferenced(&many), let shared = many {
            many = shared.copy()
        }
        return many
    }
}
