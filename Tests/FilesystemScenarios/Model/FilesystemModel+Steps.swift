import XenstoreFilesystem
import XenstoreProtocol

/// What a step gives.
enum StepResult: Equatable {
    case done
    case bytes(Bytes)
    case status(Status)
    case names([String: FileKind])
    case failed(FilesystemError)
}

extension FilesystemModel {
    /// Takes a step.
    ///
    /// - Returns: what the step must give; nil where it is not to be taken, as what it does is left
    ///   open, or it means nothing.
    func take(_ step: Step) -> StepResult? {
        do {
            return try result(of: step)
        } catch let error as FilesystemError {
            return .failed(error)
        } catch {
            return nil
        }
    }

    private func result(of step: Step) throws -> StepResult? {
        switch step {
        case .makeDirectory(let path): try makeDirectory(path)
        case .create(let path): try create(path)
        case .makeTemporary(let path, let bytes): try makeTemporary(path, bytes.bytes)
        case .write(let path, let bytes): try write(path, bytes.bytes)
        case .append(let path, let bytes): try append(path, bytes.bytes)
        case .truncate(let path, let size): try truncate(path, size)
        case .unlink(let path): try unlink(path)
        case .removeDirectory(let path): try removeDirectory(path)
        case .rename(let path, let newPath, let mode): try rename(path, newPath, mode)
        case .setMode(let path, let mode): try setMode(path, mode)
        case .setOwner(let path, let owner): try setOwner(path, owner)
        case .setGroup(let path, let group): try setGroup(path, group)
        case .setPermissions(let path, let text): try setPermissions(path, text)
        case .setAccessList(let path, let list): try setAccessList(path, list)
        case .removeAccessList(let path): try removeAccessList(path)
        case .setValue(let path, let bytes): try setValue(path, bytes.bytes)
        case .read(let path): return .bytes(Bytes(try read(path)))
        case .status(let path): return .status(try status(path))
        case .list(let path): return .names(try list(path))
        case .permissions(let path): return .bytes(Bytes(try permissionText(path)))
        case .accessList(let path): return .bytes(Bytes(try accessList(path).bytes))
        case .value(let path): return .bytes(Bytes(try value(path)))
        case .open(let slot, let path, let flags, let creating):
            try open(slot, path, flags, creating: creating)
        case .writeOpen(let slot, let bytes, let offset):
            try write(try handle(slot, .write), bytes.bytes, offset)
        case .readOpen(let slot): return .bytes(Bytes(read(try handle(slot, .read))))
        case .truncateOpen(let slot, let size): try truncate(try handle(slot, .write), size)
        case .close(let slot): try close(slot)
        case .others(let changes): try apply(changes)
        case .lookAtAll: break
        }
        return .done
    }

    // MARK: Looking

    private func read(_ path: String) throws -> [UInt8] {
        switch try findExisting(path) {
        case .directory: throw FilesystemError.isDirectory
        case .file(let key, _): return key.content
        case .scratch(let file, _, _): return file.content
        case .nothing: throw FilesystemError.noEntry
        }
    }

    func status(_ path: String) throws -> Status {
        switch try findExisting(path) {
        case .directory(let key, _): return status(of: key, .directory)
        case .file(let key, let path):
            show(key, at: path)
            var status = status(of: key, .file)
            let changed = handles(ofKeyAt: path).last(where: \.hidesValue)
            if let changed { status.size = changed.content.count }
            return status
        case .scratch(let file, _, _):
            let owner = file.permissions.owner.rawValue
            return Status(kind: .file, size: file.content.count, mode: file.mode, userID: owner)
        case .nothing: throw FilesystemError.noEntry
        }
    }

    /// The program sees the size of a key's value: what is open can be read so far.
    func show(_ key: ModelKey, at path: [String]) {
        for handle in handles(ofKeyAt: path) { handle.show(key.content) }
    }

    /// The open files of a key, the latest last.
    func handles(ofKeyAt path: [String]) -> [ModelHandle] {
        slots.compactMap(\.self).sorted { $0.number < $1.number }.filter { handle in
            if case .key(let place) = handle.target { place.path == path } else { false }
        }
    }

    func status(of key: ModelKey, _ kind: FileKind) -> Status {
        Status(
            kind: kind,
            size: kind == .file ? key.content.count : 0,
            mode: key.permissions.mode(kind),
            userID: key.permissions.owner.rawValue
        )
    }

    private func list(_ path: String) throws -> [String: FileKind] {
        guard case .directory(let key, _) = try findExisting(path) else {
            throw FilesystemError.notDirectory
        }
        var names: [String: FileKind] = key.value.isEmpty ? [:] : [".value": .file]
        for (name, child) in key.children {
            guard let kind = child.kind else { throw LeftOpen() }
            names[name] = kind
        }
        for name in key.scratch.keys { names[name] = .file }
        return names
    }

    private func permissionText(_ path: String) throws -> [UInt8] {
        switch try findExisting(path) {
        case .directory(let key, _), .file(let key, _): Array(key.permissions.description.utf8)
        case .scratch(let file, _, _): Array(file.permissions.description.utf8)
        case .nothing: throw FilesystemError.noEntry
        }
    }

    private func value(_ path: String) throws -> [UInt8] {
        switch try findExisting(path) {
        case .directory(let key, _), .file(let key, _): key.value
        case .scratch(let file, _, _): ModelKey.value(of: file.content)
        case .nothing: throw FilesystemError.noEntry
        }
    }

    // MARK: Names

    private func makeDirectory(_ path: String) throws {
        guard case .nothing(let place) = try findForCreation(path) else {
            throw FilesystemError.exists
        }
        switch place.meaning {
        case .key(let name), .children(let name):
            let key = make(name, in: place.directory)
            key.emptyKind = .directory
            key.isKept = true
            key.isMadeHere = true
        case .value, .ownValue, .scratch: throw FilesystemError.notPermitted
        }
    }

    /// By O_EXCL: a file that was not there.
    private func create(_ path: String) throws {
        switch try findForCreation(path) {
        case .nothing(let place):
            switch place.meaning {
            case .key(let name), .value(let name):
                make(name, in: place.directory).emptyKind = .file
            case .scratch:
                place.directory.scratch[place.name] = ModelScratch(in: place.directory)
            case .children, .ownValue: throw FilesystemError.notPermitted
            }
        default: throw FilesystemError.exists
        }
    }

    private func findForCreation(_ path: String) throws -> Found {
        let found = try find(path)
        if found.exists { _ = try findExisting(path) }
        return found
    }

    private func makeTemporary(_ path: String, _ bytes: [UInt8]) throws {
        guard case .nothing(let place) = try findForCreation(path) else {
            throw FilesystemError.exists
        }
        let name = place.name
        if name.hasPrefix("sed") || name.hasPrefix("tmp") || place.meaning == .scratch {
            let file = ModelScratch(in: place.directory)
            file.content = bytes
            place.directory.scratch[name] = file
        } else {
            try create(path)
            try write(path, bytes)
        }
    }

    private func unlink(_ path: String) throws {
        switch try find(path) {
        case .nothing: throw FilesystemError.noEntry
        case .directory: throw FilesystemError.isDirectory
        case .scratch(_, let directory, let name): directory.scratch[name] = nil
        case .file(let key, let keyPath):
            let isOwnValue = meaning(of: Self.names(path).last ?? "") == .ownValue
            if isOwnValue || !key.children.isEmpty {
                guard !key.value.isEmpty else { throw FilesystemError.noEntry }
                key.value = []
            } else {
                // What is in memory alone would go with it.
                guard key.scratch.isEmpty else { throw LeftOpen() }
                detach(keyPath)
                take(keyPath)
            }
        }
    }

    private func removeDirectory(_ path: String) throws {
        switch try find(path) {
        case .nothing: throw FilesystemError.noEntry
        case .file:
            _ = try findExisting(path)
            throw FilesystemError.notDirectory
        case .scratch: throw FilesystemError.notDirectory
        case .directory(let key, let keyPath):
            guard key.children.isEmpty, key.value.isEmpty, key.scratch.isEmpty else {
                throw FilesystemError.notEmpty
            }
            detach(keyPath)
            take(keyPath)
        }
    }

    // MARK: Permissions

    private func setMode(_ path: String, _ mode: UInt32) throws {
        let found = try findExisting(path)
        switch found {
        case .scratch(let file, _, _):
            guard file.set(mode: mode) else { throw FilesystemError.notPermitted }
        case .directory(let key, _), .file(let key, _):
            let kind: FileKind = found.isDirectory ? .directory : .file
            guard mode != key.permissions.mode(kind) else { return }
            guard let changed = key.permissions.with(mode: mode, kind) else {
                throw FilesystemError.notPermitted
            }
            key.permissions = changed
        case .nothing: throw FilesystemError.noEntry
        }
    }

    private func setOwner(_ path: String, _ owner: UInt32) throws {
        switch try findExisting(path) {
        case .scratch(let file, _, _): file.set(owner: DomainID(owner))
        case .directory(let key, _), .file(let key, _): key.permissions.owner = DomainID(owner)
        case .nothing: throw FilesystemError.noEntry
        }
    }

    /// The group is always 0, and may be set to what it is.
    private func setGroup(_ path: String, _ group: UInt32) throws {
        _ = try findExisting(path)
        guard group == 0 else { throw FilesystemError.notPermitted }
    }

    private func setPermissions(_ path: String, _ text: String) throws {
        let found = try findExisting(path)
        guard let permissions = Permissions(text: text.utf8) else { throw FilesystemError.invalid }
        switch found {
        case .scratch(let file, _, _): file.set(permissions)
        case .directory(let key, _), .file(let key, _): key.permissions = permissions
        case .nothing: throw FilesystemError.noEntry
        }
    }

    private func setValue(_ path: String, _ value: [UInt8]) throws {
        let found = try findExisting(path)
        switch found {
        case .scratch(let file, _, _): file.content = value.isEmpty ? [] : value + [10]
        case .directory(let key, _), .file(let key, _):
            guard value.count < 5000 else { throw FilesystemError.tooLarge }
            key.value = value
        case .nothing: throw FilesystemError.noEntry
        }
    }
}
