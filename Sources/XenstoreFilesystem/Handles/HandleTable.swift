/// Open files or directories of a filesystem by number.
final class HandleTable<Handle> {
    private var handles: [HandleID: Handle] = [:]
    private var next: UInt64

    init(of filesystem: FilesystemID) {
        next = filesystem.base + 1
    }

    var count: Int { handles.count }

    func contains(_ isWanted: (Handle) -> Bool) -> Bool {
        handles.values.contains(where: isWanted)
    }

    /// The one that was opened last of those that are wanted.
    func last(where isWanted: (Handle) -> Bool) -> Handle? {
        var found: (id: UInt64, handle: Handle)?
        for (id, handle) in handles where id.rawValue > found?.id ?? 0 && isWanted(handle) {
            found = (id.rawValue, handle)
        }
        return found?.handle
    }

    func forEach(_ body: (Handle) -> Void) {
        handles.values.forEach(body)
    }

    func ids(where isWanted: (Handle) -> Bool) -> [HandleID] {
        handles.filter { isWanted($0.value) }.map(\.key)
    }

    func insert(_ handle: Handle) -> HandleID {
        let id = HandleID(rawValue: next)
        next += 1
        handles[id] = handle
        return id
    }

    /// Puts another in the place of each for which `body` gives one.
    func replaceEach(_ body: (Handle) -> Handle?) {
        for (id, handle) in handles {
            if let other = body(handle) { handles[id] = other }
        }
    }

    func remove(_ id: HandleID) -> Handle? {
        handles.removeValue(forKey: id)
    }

    func find(_ id: HandleID) throws(FilesystemError) -> Handle {
        guard let handle = handles[id] else { throw .badHandle }
        return handle
    }
}
