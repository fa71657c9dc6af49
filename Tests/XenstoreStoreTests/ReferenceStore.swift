/// A store as simple as can be: every state is a whole dictionary, and a transaction is a copy.
/// Slow and plainly right, for comparing with.
struct ReferenceStore {
    struct Node: Equatable {
        var value: String
        /// Counts the changes of the value and of the list of children.
        var changes: Int
        /// When it was created, for the order of children.
        var created: Int
    }

    struct Transaction {
        let id: UInt32
        var nodes: [String: Node]
        let start: [String: Node]
        var touched: Set<String> = []
        var log: [Operation] = []
    }

    enum Operation {
        case write(String, String)
        case makeDirectory(String)
        case remove(String)
        case read(String)
        case directory(String)
    }

    private(set) var nodes: [String: Node] = [
        "/": Node(value: "", changes: 0, created: 0)
    ]
    private var time = 0

    mutating func perform(_ operation: Operation) -> String {
        var touched: Set<String> = []
        return Self.perform(operation, on: &nodes, &touched, &time)
    }

    mutating func perform(_ operation: Operation, in transaction: inout Transaction) -> String {
        transaction.log.append(operation)
        return Self.perform(operation, on: &transaction.nodes, &transaction.touched, &time)
    }

    func begin(_ id: UInt32) -> Transaction { Transaction(id: id, nodes: nodes, start: nodes) }

    mutating func commit(_ transaction: Transaction) -> String {
        for path in transaction.touched where nodes[path] != transaction.start[path] {
            return "EAGAIN"
        }
        for operation in transaction.log { _ = perform(operation) }
        return "OK|"
    }

    static func children(of path: String, in nodes: [String: Node]) -> [String] {
        let prefix = path == "/" ? "/" : path + "/"
        let children = nodes.filter { key, _ in
            key != "/" && key.hasPrefix(prefix) && !key.dropFirst(prefix.count).contains("/")
        }
        return children.sorted { $0.value.created < $1.value.created }
            .map { String($0.key.dropFirst(prefix.count)) }
    }

    private static func perform(
        _ operation: Operation,
        on nodes: inout [String: Node],
        _ touched: inout Set<String>,
        _ time: inout Int
    ) -> String {
        switch operation {
        case .read(let path):
            guard look(path, nodes, &touched) else { return "ENOENT" }
            return nodes[path]?.value ?? ""
        case .directory(let path):
            guard look(path, nodes, &touched) else { return "ENOENT" }
            return children(of: path, in: nodes).map { $0 + "|" }.joined()
        case .write(let path, let value):
            if look(path, nodes, &touched) {
                time += 1
                nodes[path]?.value = value
                nodes[path]?.changes = time
            } else {
                create(path, value, &nodes, &time)
            }
        case .makeDirectory(let path):
            if !look(path, nodes, &touched) { create(path, "", &nodes, &time) }
        case .remove(let path):
            guard look(path, nodes, &touched) else {
                return nodes[parent(path)] == nil ? "ENOENT" : "OK|"
            }
            touched.insert(parent(path))
            for below in nodes.keys where below == path || below.hasPrefix(path + "/") {
                touched.insert(below)
                nodes[below] = nil
            }
            time += 1
            nodes[parent(path)]?.changes = time
        }
        return "OK|"
    }

    /// Whether a node exists; where it does not, those above it up to one that does are looked at.
    private static func look(
        _ path: String,
        _ nodes: [String: Node],
        _ touched: inout Set<String>
    ) -> Bool {
        touched.insert(path)
        if nodes[path] != nil { return true }
        var above = path
        repeat {
            above = parent(above)
            touched.insert(above)
        } while nodes[above] == nil
        return false
    }

    private static func create(
        _ path: String,
        _ value: String,
        _ nodes: inout [String: Node],
        _ time: inout Int
    ) {
        if nodes[parent(path)] == nil { create(parent(path), "", &nodes, &time) }
        time += 1
        nodes[parent(path)]?.changes = time
        nodes[path] = Node(value: value, changes: time, created: time)
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }
}
