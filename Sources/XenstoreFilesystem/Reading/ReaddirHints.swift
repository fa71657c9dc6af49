/// The names that directories had when a listing of their parent asked for their shape. What a
/// program opens next can be asked for together with what it will find there: hints, never
/// answers.
struct ReaddirHints {
    /// The list of a DIRECTORY reply, by key.
    private var lists: [UInt64: [UInt8]] = [:]
    private var bytes = 0

    mutating func put(_ list: [UInt8], of node: KeyNode) {
        guard !list.isEmpty, list.count <= FilesystemLimits.hintBytes else { return }
        if bytes + list.count > FilesystemLimits.hintBytes {
            lists = [:]
            bytes = 0
        }
        bytes += list.count - (lists.updateValue(list, forKey: node.id)?.count ?? 0)
    }

    mutating func take(of node: KeyNode) -> [UInt8] {
        guard let list = lists.removeValue(forKey: node.id) else { return [] }
        bytes -= list.count
        return list
    }
}
