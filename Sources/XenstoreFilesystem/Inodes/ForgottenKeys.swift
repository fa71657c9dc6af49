/// Keys that the kernel has forgotten and this mount has not: a bounded queue, the oldest first
/// out.
struct ForgottenKeys {
    private var order: [(node: KeyNode, number: Int)] = []
    private var head = 0
    /// Each with the number of its place in the queue. Older places of it do not count any more.
    private var numbers: [UInt64: Int] = [:]
    private var next = 0

    /// Takes a key in as the latest.
    ///
    /// - Returns: those that are remembered no more.
    mutating func insert(_ node: KeyNode) -> [KeyNode] {
        numbers[node.id] = next
        order.append((node, next))
        next += 1
        var oldest: [KeyNode] = []
        while numbers.count > FilesystemLimits.rememberedKeys {
            let (node, number) = order[head]
            head += 1
            guard numbers[node.id] == number else { continue }
            numbers[node.id] = nil
            oldest.append(node)
        }
        // What is in use again, and what comes and goes, would pile up.
        if order.count > 2 * FilesystemLimits.rememberedKeys {
            order = order[head...].filter { numbers[$0.node.id] == $0.number }
            head = 0
        }
        return oldest
    }

    func contains(_ node: KeyNode) -> Bool { numbers[node.id] != nil }

    mutating func remove(_ node: KeyNode) { numbers[node.id] = nil }
}
