import XenstoreProtocol

/// One key of the store: its name, its value, its permissions and its children.
///
/// Trees share nodes: a transaction holds the root that it began with, and whoever changes a node
/// that others hold copies it first. ``Tree`` alone changes nodes, and keeps to that.
///
/// Most nodes are leaves with a short name and a short value. Name and value stand behind the
/// header in the same piece of memory, and what few nodes have is in a ``NodeBranch``: 80 bytes for
/// such a leaf, where a class with a string and an array takes 160.
final class Node: ManagedBuffer<NodeHeader, UInt8> {
    /// Longer values stand on their own, so that a reply shares them.
    private static let longestInlineValue = 128
    /// Pieces of memory come in multiples of this, less what the allocator needs of each.
    private static let granule = 16
    private static let allocatorBytes = 8

    static func make(
        name: String,
        creation: UInt64,
        value: [UInt8],
        permissions: SharedPermissions
    ) -> Node {
        let header = NodeHeader(
            creation: creation,
            generation: creation,
            permissions: permissions,
            nameLength: UInt16(name.utf8.count)
        )
        let node = Self.make(header, value)
        withBytes(of: name) { bytes in
            node.withUnsafeMutablePointerToElements { elements in
                for (index, byte) in bytes.enumerated() { elements[index] = byte }
            }
        }
        return node
    }

    /// Makes a node without a name, its name's bytes yet to be filled.
    private static func make(_ header: NodeHeader, _ value: [UInt8]) -> Node {
        var header = header
        let headerBytes = 16 + MemoryLayout<NodeHeader>.size
        let inlineBytes = value.count <= longestInlineValue ? value.count : 0
        let needed = headerBytes + Int(header.nameLength) + inlineBytes + allocatorBytes
        let rounded = (needed + granule - 1) / granule * granule - allocatorBytes - headerBytes
        header.valueCapacity = UInt8(min(rounded - Int(header.nameLength), 255))
        let buffer = Node.create(minimumCapacity: rounded) { _ in header }
        let node = unsafeDowncast(buffer, to: Node.self)
        node.value = value
        return node
    }

    /// A node of its own with the same content; the children are shared.
    func copy() -> Node {
        var header = header
        let value = value
        header.branch = header.branch.map { NodeBranch(children: $0.children, value: $0.value) }
        let node = Self.make(header, value)
        withName { bytes in
            node.withUnsafeMutablePointerToElements { elements in
                for (index, byte) in bytes.enumerated() { elements[index] = byte }
            }
        }
        return node
    }

    /// A number that grows from each created node to the next: the order among siblings.
    var creation: UInt64 { header.creation }

    /// The stamp of the last change of the value, the permissions or the list of children.
    /// No two states of any two nodes have the same.
    var generation: UInt64 {
        get { header.generation }
        set { header.generation = newValue }
    }

    var permissions: Permissions { header.permissions.value }

    /// The permissions as nodes share them.
    var sharedPermissions: SharedPermissions {
        get { header.permissions }
        set { header.permissions = newValue }
    }

    // MARK: Name and value

    var name: String { withName { String(decoding: $0, as: UTF8.self) } }

    var nameLength: Int { Int(header.nameLength) }

    func withName<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        withUnsafeMutablePointers { header, elements in
            body(UnsafeBufferPointer(start: elements, count: Int(header.pointee.nameLength)))
        }
    }

    func hasName(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        withName { own in
            guard own.count == name.count else { return false }
            for index in 0..<own.count where own[index] != name[index] { return false }
            return true
        }
    }

    var valueLength: Int { header.branch?.value?.count ?? Int(header.valueLength) }

    var value: [UInt8] {
        get {
            if let value = header.branch?.value { return value }
            return withUnsafeMutablePointers { header, elements in
                let start = elements + Int(header.pointee.nameLength)
                return Array(
                    UnsafeBufferPointer(start: start, count: Int(header.pointee.valueLength))
                )
            }
        }
        set {
            guard newValue.count <= Int(header.valueCapacity) else {
                header.valueLength = 0
                changeBranch { $0.value = newValue }
                return
            }
            if header.branch?.value != nil { changeBranch { $0.value = nil } }
            header.valueLength = UInt8(newValue.count)
            withUnsafeMutablePointers { header, elements in
                let start = elements + Int(header.pointee.nameLength)
                for (index, byte) in newValue.enumerated() { start[index] = byte }
            }
        }
    }

    // MARK: Children

    var children: ChildTable { header.branch?.children ?? ChildTable() }

    func child(named name: UnsafeBufferPointer<UInt8>) -> Node? {
        header.branch?.children[name]
    }

    /// The child of that name, for changing it: copied first if another node holds it too.
    func uniqueChild(named name: UnsafeBufferPointer<UInt8>) -> Node? {
        header.branch?.children.uniqueChild(named: name)
    }

    /// Changes the children.
    func changeChildren<Result>(_ body: (inout ChildTable) -> Result) -> Result {
        changeBranch { body(&$0.children) }
    }

    private func changeBranch<Result>(_ body: (NodeBranch) -> Result) -> Result {
        let branch = header.branch ?? NodeBranch(children: ChildTable(), value: nil)
        let result = body(branch)
        header.branch = branch.isNeeded ? branch : nil
        return result
    }

    var measure: NodeMeasure {
        NodeMeasure(
            permissions: permissions,
            valueBytes: valueLength,
            childNameBytes: header.branch?.children.nameBytes ?? 0
        )
    }
}

/// What a node has besides its name and a short value.
struct NodeHeader {
    let creation: UInt64
    var generation: UInt64
    var permissions: SharedPermissions
    var branch: NodeBranch?
    let nameLength: UInt16
    /// Bytes of the value behind the name; zero if it stands in the branch.
    var valueLength: UInt8 = 0
    var valueCapacity: UInt8 = 0

    init(
        creation: UInt64,
        generation: UInt64,
        permissions: SharedPermissions,
        nameLength: UInt16
    ) {
        self.creation = creation
        self.generation = generation
        self.permissions = permissions
        self.nameLength = nameLength
    }
}

/// What only few nodes have. It belongs to one node.
final class NodeBranch {
    var children: ChildTable
    /// The value, where it does not fit the node.
    var value: [UInt8]?

    init(children: ChildTable, value: [UInt8]?) {
        self.children = children
        self.value = value
    }

    var isNeeded: Bool { value != nil || !children.isEmpty }
}

/// Permissions that many nodes have alike: those that inherit them share them.
final class SharedPermissions {
    let value: Permissions

    init(_ value: Permissions) {
        self.value = value
    }
}

/// The bytes of a text.
func withBytes<Result>(
    of text: String,
    _ body: (UnsafeBufferPointer<UInt8>) -> Result
) -> Result {
    if let result = text.utf8.withContiguousStorageIfAvailable(body) { return result }
    return Array(text.utf8).withUnsafeBufferPointer(body)
}

/// What quotas and rights need of a node. Whoever is about to change a node keeps this and not the
/// node: a node that is held is copied when it changes.
struct NodeMeasure {
    var permissions: Permissions
    var valueBytes = 0
    var childNameBytes = 0

    /// The bytes that the quotas `node-size` and `memory` count: as the C daemon lays a node out,
    /// with the header of its record and eight bytes for each entry of the permissions.
    var size: Int { 24 + 8 * (permissions.entries.count + 1) + valueBytes + childNameBytes }
}
