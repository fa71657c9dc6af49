import XenstoreProtocol

/// One key of the store: its value, its permissions and its children.
///
/// Trees share nodes: a transaction holds the root that it began with, and whoever changes a node
/// that others hold copies it first. ``Tree`` alone changes nodes, and keeps to that.
final class Node {
    let name: String
    /// A number that grows from each created node to the next: the order among siblings.
    let creation: UInt64
    /// The stamp of the last change of the value, the permissions or the list of children.
    /// No two states of any two nodes have the same.
    var generation: UInt64
    var value: [UInt8]
    /// The list of entries is shared with the parent it was inherited from.
    var permissions: Permissions
    var children: ChildTable

    init(name: String, creation: UInt64, value: [UInt8], permissions: Permissions) {
        self.name = name
        self.creation = creation
        self.generation = creation
        self.value = value
        self.permissions = permissions
        self.children = ChildTable()
    }

    private init(copying node: Node) {
        name = node.name
        creation = node.creation
        generation = node.generation
        value = node.value
        permissions = node.permissions
        children = node.children
    }

    /// A node of its own with the same content; the children are shared.
    func copy() -> Node { Node(copying: self) }

    var measure: NodeMeasure {
        NodeMeasure(
            permissions: permissions,
            valueBytes: value.count,
            childNameBytes: children.nameBytes
        )
    }
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
