import XenstoreFilesystem
import XenstoreProtocol

/// What SEMANTICS.md says, as plainly as it can be written: a tree of keys, and no store, no kernel
/// and no time.
final class FilesystemModel {
    /// What a step may not be compared for, as the page leaves open what it does then.
    struct LeftOpen: Error {}

    /// What a name leads to.
    enum Found {
        case directory(ModelKey, [String])
        case file(ModelKey, [String])
        case scratch(ModelScratch, in: ModelKey, String)
        case nothing(NameInDirectory)

        var exists: Bool {
            if case .nothing = self { return false }
            return true
        }

        var isDirectory: Bool {
            if case .directory = self { return true }
            return false
        }
    }

    /// A name that leads nowhere.
    struct NameInDirectory {
        var directory: ModelKey
        var path: [String]
        var name: String
        var meaning: Meaning
    }

    enum Meaning: Equatable {
        case key(String)
        case value(of: String)
        case children(of: String)
        case ownValue
        case scratch
    }

    let root: ModelKey
    var slots = [ModelHandle?](repeating: nil, count: Step.slots)
    /// Files that were opened so far.
    var opened = 0
    /// Of open files, and of scratch files that became keys.
    var places: [ModelPlace] = []

    init(root permissions: Permissions) {
        root = ModelKey(permissions)
        root.emptyKind = .directory
        root.isKept = true
        root.isMadeHere = true
    }

    // MARK: Finding

    static func names(_ path: String) -> [String] { path.split(separator: "/").map(String.init) }

    func key(at path: some Sequence<String>) -> ModelKey? {
        var key: ModelKey? = root
        for name in path { key = key?.children[name] }
        return key
    }

    func meaning(of name: String) -> Meaning {
        if name == ".value" { return .ownValue }
        for (suffix, meaning) in [
            (".value", Meaning.value(of:)), (".dir", Meaning.children(of:)),
        ] where name.hasSuffix(suffix) {
            return meaning(String(name.dropLast(suffix.count)))
        }
        return name.contains { ".~".contains($0) } ? .scratch : .key(name)
    }

    /// What a path leads to.
    ///
    /// - Throws: an errno for a path whose directory is none.
    func find(_ path: String) throws -> Found {
        let names = Self.names(path)
        var (directory, keyPath) = (root, [String]())
        for name in names.dropLast() {
            switch try find(name, in: directory, keyPath) {
            case .directory(let key, let path): (directory, keyPath) = (key, path)
            case .file, .scratch: throw FilesystemError.notDirectory
            case .nothing: throw FilesystemError.noEntry
            }
        }
        return try find(names.last ?? "", in: directory, keyPath)
    }

    private func find(_ name: String, in directory: ModelKey, _ path: [String]) throws -> Found {
        if let file = directory.scratch[name] { return .scratch(file, in: directory, name) }
        let meaning = meaning(of: name)
        let nothing = NameInDirectory(
            directory: directory,
            path: path,
            name: name,
            meaning: meaning
        )
        switch meaning {
        case .ownValue: return .file(directory, path)
        case .scratch: return .nothing(nothing)
        case .key(let child), .value(let child), .children(let child):
            let path = path + [child]
            guard let key = directory.children[child] else {
                // A file that is being created is there to some and not to others.
                if isBeingCreated(path) { throw LeftOpen() }
                return .nothing(nothing)
            }
            switch meaning {
            case .value: return .file(key, path)
            case .children: return .directory(key, path)
            default:
                guard let kind = key.kind else { throw LeftOpen() }
                return kind == .file ? .file(key, path) : .directory(key, path)
            }
        }
    }

    /// What is there for a program that does not create: to the one that made a directory its
    /// `.value` is not there before it was written.
    func findExisting(_ path: String) throws -> Found {
        let found = try find(path)
        switch found {
        case .nothing: throw FilesystemError.noEntry
        case .file(let key, _):
            let isOwnValue = meaning(of: Self.names(path).last ?? "") == .ownValue
            if isOwnValue, key.isMadeHere || key.isUncertain, key.value.isEmpty { throw LeftOpen() }
        case .directory, .scratch: break
        }
        return found
    }

    private func isBeingCreated(_ path: [String]) -> Bool {
        slots.contains { handle in
            guard let handle, handle.createsOnWrite, case .key(let place) = handle.target else {
                return false
            }
            return place.path == path
        }
    }

    // MARK: Changing

    /// Makes a key in a directory that is there.
    @discardableResult
    func make(_ name: String, in directory: ModelKey) -> ModelKey {
        let key = ModelKey(directory.permissions)
        directory.children[name] = key
        return key
    }

    /// As the store does it: a put makes the key and all that is missing above it.
    func put(_ value: [UInt8], at path: [String]) {
        var key = root
        for name in path { key = key.children[name] ?? make(name, in: key) }
        key.value = value
    }

    /// A program of this mount takes a key out of its directory.
    func take(_ path: [String]) {
        guard let name = path.last, let parent = key(at: path.dropLast()) else { return }
        parent.children[name] = nil
        parent.isKept = true
        parent.emptyKind = .directory
    }

    /// Whoever has it open, or what is below it, has it no more.
    func detach(_ path: [String]) {
        for place in places {
            guard let old = place.path, old.starts(with: path) else { continue }
            place.lastContent = key(at: old)?.content
            place.path = nil
        }
    }

    func move(_ path: [String], to newPath: [String], exchanging: Bool) {
        for place in places {
            guard let old = place.path else { continue }
            if old.starts(with: path) {
                place.path = newPath + old.dropFirst(path.count)
            } else if exchanging, old.starts(with: newPath) {
                place.path = path + old.dropFirst(newPath.count)
            }
        }
    }

    func place(_ path: [String]) -> ModelPlace {
        let place = ModelPlace(path)
        places.append(place)
        return place
    }

    // MARK: Other clients

    func apply(_ changes: [Change]) throws {
        let removed = changes.compactMap { change -> [String]? in
            guard case .remove(let path) = change else { return nil }
            return Self.names(path)
        }
        // Whether the mount notices that a directory was gone for a moment is open.
        if changes.count > 1 {
            for path in removed {
                let keys = key(at: path)?.subtree ?? []
                guard keys.allSatisfy(\.scratch.isEmpty) else { throw LeftOpen() }
            }
        }
        for change in changes {
            let path = Self.names(change.path)
            switch change {
            case .put(_, let value): put(value.bytes, at: path)
            case .remove:
                key(at: path.dropLast())?.children[path[path.count - 1]] = nil
                for place in places where place.path?.starts(with: path) ?? false {
                    place.wasRemovedByOthers = true
                }
            case .setPermissions(_, let text): key(at: path)?.permissions = permissions(text)
            }
        }
        guard changes.count > 1 else { return }
        for change in changes {
            let path = Self.names(change.path)
            for length in 1...path.count {
                guard let key = key(at: Array(path.prefix(length))), !key.isKept else { continue }
                key.isUncertain = true
            }
        }
    }

    func permissions(_ text: String) -> Permissions {
        guard let permissions = Permissions(text: text.utf8) else {
            preconditionFailure("the model was given permissions that are none: \(text)")
        }
        return permissions
    }
}
