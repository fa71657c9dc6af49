import XenstoreProtocol

/// The places of the tree that a transaction has looked at or changed, as a tree of names.
///
/// It grows with the places, not with how often each of them is changed, nor with how deep they
/// are. Parents stand before their children, so what is done for all places is one pass.
struct Footprint {
    struct Place {
        /// The place above; ``Footprint/nothing`` for the root and for special paths.
        let parent: Int
        let name: String
        /// Which access this place was; ``Footprint/nothing`` for one that is only on the way.
        var order = Footprint.nothing
        /// The stamp that the node had at the first access; nil if there was none. A commit needs
        /// it to be the same still.
        var generation: UInt64?
        /// A domain that could read it by these learns of its change.
        var permissions: Permissions?
        /// Which watches learn of its change; nil if it did not change.
        var event: EventScope?
        var isChanged = false
    }

    private struct Step: Hashable {
        let parent: Int
        let name: String
    }

    static let nothing = -1
    static let root = 0
    private static let near = 16

    private(set) var places = [Place(parent: Footprint.nothing, name: "")]
    /// The places that were accessed, in the order of the first access, which is also that of the
    /// events.
    private(set) var accessed: [Int] = []
    private(set) var hasChanges = false
    /// How many nodes were made, those included that are gone again.
    private(set) var creations = 0
    private var index: [Step: Int] = [:]

    // MARK: Places

    /// The place of a path, if it is known.
    func place(of path: StorePath) -> Int? {
        if path.isRoot { return Self.root }
        if path.isSpecial { return index[Step(parent: Self.nothing, name: path.text)] }
        var place = Self.root
        for name in path.names {
            guard let next = index[Step(parent: place, name: name)] else { return nil }
            place = next
        }
        return place
    }

    /// The places from the root to a path, which are made where they are missing.
    mutating func trail(to path: StorePath) -> [Int] {
        if path.isSpecial { return [place(named: path.text, below: Self.nothing)] }
        var trail = [Self.root]
        for name in path.names { trail.append(place(named: name, below: trail[trail.count - 1])) }
        return trail
    }

    /// The place of a name below another, which is made if it is missing.
    mutating func place(named name: String, below parent: Int) -> Int {
        let step = Step(parent: parent, name: name)
        if let known = index[step] { return known }
        places.append(Place(parent: parent, name: name))
        index[step] = places.count - 1
        return places.count - 1
    }

    func path(of place: Int) -> StorePath {
        var names: [String] = []
        var place = place
        while place > Self.root {
            names.append(places[place].name)
            place = places[place].parent
        }
        if place == Self.nothing { return StorePath(text: names.last ?? "") }
        return names.isEmpty
            ? .root : StorePath(text: "/" + names.reversed().joined(separator: "/"))
    }

    /// Bytes of the paths of all places, none for the root.
    var pathLengths: [Int] {
        var lengths: [Int] = []
        for place in places {
            let above = place.parent == Self.nothing ? 0 : lengths[place.parent] + 1
            lengths.append(above + place.name.utf8.count)
        }
        return lengths
    }

    /// Whether a place is another, or a few steps above it.
    func isNear(_ place: Int, above other: Int) -> Bool {
        var next = other
        for _ in 0..<Self.near where next != Self.nothing {
            if next == place { return true }
            next = places[next].parent
        }
        return false
    }

    /// The nodes of a tree at all places. Nodes that are held are copied when they change, so this
    /// is to be gone before the tree changes.
    func nodes(in tree: Tree) -> [Node?] {
        var nodes: [Node?] = []
        nodes.reserveCapacity(places.count)
        for index in places.indices {
            let parent = places[index].parent
            if parent == Self.nothing {
                nodes.append(index == Self.root ? tree.root : tree.special(places[index].name))
            } else {
                let above = nodes[parent]
                nodes.append(withBytes(of: places[index].name) { above?.child(named: $0) })
            }
        }
        return nodes
    }

    // MARK: Notes

    func isAccessed(_ place: Int) -> Bool { places[place].order != Self.nothing }

    /// Notes the first access to a node.
    mutating func noteAccess(_ place: Int, _ node: Node?) {
        guard !isAccessed(place) else { return }
        places[place].order = accessed.count
        places[place].generation = node?.generation
        places[place].permissions = node?.permissions
        accessed.append(place)
    }

    /// Notes that watches of a node are to hear of it. The wider scope stays.
    mutating func noteEvent(_ place: Int, _ scope: EventScope) {
        precondition(isAccessed(place), "a change in a transaction without an access")
        if places[place].event != .subtree { places[place].event = scope }
    }

    /// Notes what a change is about: the node, and the one whose list of children it changes.
    mutating func noteChange(_ change: Transaction.Change) {
        hasChanges = true
        switch change {
        case .setValue(let path, _), .setPermissions(let path, _): noteChange(path, levels: 1)
        case .remove(let path): noteChange(path, levels: 2)
        case .create(let path, let levels, _, _):
            creations += levels
            noteChange(path, levels: levels + 1)
        }
    }

    private mutating func noteChange(_ path: StorePath, levels: Int) {
        for place in trail(to: path).suffix(levels) { places[place].isChanged = true }
    }

    // MARK: At the end

    /// Whether all that was accessed is in a tree as it was when it was accessed.
    func isValid(in tree: Tree) -> Bool {
        let nodes = nodes(in: tree)
        return accessed.allSatisfy { nodes[$0]?.generation == places[$0].generation }
    }

    /// What the changes come to.
    struct Outcome {
        /// Nodes that go, with all below; none of them is below another.
        var removed: [Int] = []
        /// Nodes that come, in the order of their creation.
        var created: [Int] = []
        /// Nodes that stay, and may have another value or other permissions.
        var kept: [Int] = []
    }

    /// What leads from one tree to another, where both are given by their nodes at all places and
    /// differ in what was changed alone.
    func outcome(from old: [Node?], to new: [Node?]) -> Outcome {
        var outcome = Outcome()
        var isReplaced = [Bool](repeating: false, count: places.count)
        for (index, place) in places.enumerated() {
            let isBelowReplaced = place.parent != Self.nothing && isReplaced[place.parent]
            let goes = old[index].map { $0.creation != new[index]?.creation } ?? false
            isReplaced[index] = isBelowReplaced || goes
            guard place.isChanged else { continue }
            if goes, !isBelowReplaced { outcome.removed.append(index) }
            guard new[index] != nil else { continue }
            if isReplaced[index] || old[index] == nil {
                outcome.created.append(index)
            } else {
                outcome.kept.append(index)
            }
        }
        outcome.created.sort { new[$0]?.creation ?? 0 < new[$1]?.creation ?? 0 }
        return outcome
    }
}

/// The path of one place after the other. Many have the same beginning, and a deep tree has long
/// paths, so that is kept.
struct FootprintPath {
    private(set) var bytes: [UInt8] = []
    private var place = Footprint.nothing
    private let lengths: [Int]

    init(_ footprint: Footprint) {
        lengths = footprint.pathLengths
    }

    /// Makes `bytes` the path of a place.
    mutating func move(to next: Int, in footprint: Footprint) {
        let kept = place == Footprint.nothing ? place : footprint.places[place].parent
        // From the place upwards to where the last path has been as well.
        var names: [String] = []
        var above = next
        while above > Footprint.root, above != place, above != kept {
            names.append(footprint.places[above].name)
            above = footprint.places[above].parent
        }
        let isBelow = above != Footprint.nothing
        bytes.removeLast(bytes.count - (isBelow ? min(bytes.count, lengths[above]) : 0))
        for name in names.reversed() {
            if isBelow { bytes.append(UInt8(ascii: "/")) }
            withBytes(of: name) { bytes.append(contentsOf: $0) }
        }
        if next == Footprint.root { bytes = [UInt8(ascii: "/")] }
        place = next
    }
}
