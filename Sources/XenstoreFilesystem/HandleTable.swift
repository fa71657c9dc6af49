/// Open files or directories by number.
struct HandleTable<Handle> {
    private var handles: [HandleID: Handle] = [:]
    private var next: UInt64 = 1

    var count: Int { handles.count }

    func contains(_ isWanted: (Handle) -> Bool) -> Bool {
        handles.values.contains(where: isWanted)
    }

    func forEach(_ body: (Handle) -> Void) {
        handles.values.forEach(body)
    }

    mutating func insert(_ handle: Handle) -> HandleID {
        let id = HandleID(rawValue: next)
        next += 1
        handles[id] = handle
        return id
    }

    mutating func remove(_ id: HandleID) -> Handle? {
        handles.removeValue(forKey: id)
    }

    func find(_ id: HandleID) throws(FilesystemError) -> Handle {
        guard let handle = handles[id] else { throw .badHandle }
        return handle
    }
}
