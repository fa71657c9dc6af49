import XenstoreFilesystem
import XenstoreProtocol

extension FilesystemModel {
    /// Sizes between these differ by store; the generator makes none on purpose.
    private static let sizesLeftOpen = 1500..<4097

    private func check(_ size: Int) throws {
        guard size < Self.sizesLeftOpen.upperBound else { throw FilesystemError.tooLarge }
        guard size < Self.sizesLeftOpen.lowerBound else { throw LeftOpen() }
    }

    // MARK: By path

    func write(_ path: String, _ bytes: [UInt8]) throws {
        switch try findToWrite(path) {
        case .directory: throw FilesystemError.isDirectory
        case .scratch(let file, _, _): file.content = bytes
        case .file(let key, let path):
            try check(bytes.count)
            key.value = ModelKey.value(of: bytes)
            follow(bytes, at: path)
        case .nothing(let place):
            switch place.meaning {
            case .key(let name), .value(let name):
                try check(bytes.count)
                let key = make(name, in: place.directory)
                key.emptyKind = .file
                key.value = ModelKey.value(of: bytes)
                // A key that others have removed is made again under those who have it open.
                follow(bytes, at: place.path + [name])
            case .scratch:
                let file = ModelScratch(in: place.directory)
                place.directory.scratch[place.name] = file
                file.content = bytes
            case .children, .ownValue: throw FilesystemError.notPermitted
            }
        }
    }

    func append(_ path: String, _ bytes: [UInt8]) throws {
        switch try findToWrite(path) {
        case .scratch(let file, _, _): file.content += bytes
        case .file(let key, let path):
            let content = key.content + bytes
            try check(content.count)
            key.value = ModelKey.value(of: content)
            follow(content, at: path)
        case .directory, .nothing: try write(path, bytes)
        }
    }

    func truncate(_ path: String, _ size: Int) throws {
        switch try findExisting(path) {
        case .directory: throw FilesystemError.isDirectory
        case .scratch(let file, _, _): file.content = file.content.cut(to: size)
        case .file(let key, let path):
            try check(size)
            finishPending(at: path)
            let content = key.content.cut(to: size)
            key.value = ModelKey.value(of: content)
            follow(content, at: path)
        case .nothing: throw FilesystemError.noEntry
        }
    }

    // MARK: What is pending

    /// What a name leads to when it is opened for writing: what others have open is done first.
    private func findToWrite(_ path: String) throws -> Found {
        switch try find(path) {
        case .file(_, let path): finishPending(at: path)
        case .nothing(let place):
            switch place.meaning {
            case .key(let name), .value(let name): finishPending(at: place.path + [name])
            default: break
            }
        default: break
        }
        return try find(path)
    }

    private func finishPending(at path: [String], except own: ModelHandle? = nil) {
        for handle in handles(ofKeyAt: path) where handle !== own && handle.pending != .nothing {
            finish(handle, at: path)
        }
    }

    /// This mount has changed the file: who has it open to write goes on from there.
    private func follow(_ content: [UInt8], at path: [String]) {
        for handle in handles(ofKeyAt: path) { handle.follow(content) }
    }

    private func finish(_ handle: ModelHandle, at path: [String]) {
        defer {
            handle.pending = .nothing
            handle.createsOnWrite = false
        }
        if handle.content.isEmpty {
            // Others have made or written it meanwhile: on a disk that would come later.
            if handle.createsOnWrite, key(at: path) != nil { return }
            if handle.pending == .untilRelease, !handle.createsOnWrite, let hidden = handle.hidden,
                key(at: path)?.value != hidden
            {
                return
            }
        }
        put(ModelKey.value(of: handle.content), at: path)
        follow(handle.content, at: path)
    }

    // MARK: By handle

    func handle(_ slot: Int, _ needed: OpenFlags) throws -> ModelHandle {
        guard let handle = slots[slot], handle.flags.contains(needed) else { throw LeftOpen() }
        return handle
    }

    private func makeHandle(_ target: ModelHandle.Target, _ flags: OpenFlags) -> ModelHandle {
        let handle = ModelHandle(target, flags)
        opened += 1
        handle.number = opened
        return handle
    }

    func open(_ slot: Int, _ path: String, _ flags: OpenFlags, creating: Bool) throws {
        guard slots[slot] == nil else { throw LeftOpen() }
        if flags.contains(.write) { _ = try? findToWrite(path) }
        switch try creating ? find(path) : findExisting(path) {
        case .directory: throw FilesystemError.isDirectory
        case .scratch(let file, _, _):
            if flags.contains(.truncate) { file.content = [] }
            slots[slot] = ModelHandle(.scratch(file), flags)
        case .file(let key, let path):
            let handle = makeHandle(.key(place(path)), flags)
            handle.content = key.content
            if flags.contains(.truncate), !key.value.isEmpty {
                handle.content = []
                handle.hidden = key.value
                handle.pending = .untilRelease
            }
            slots[slot] = handle
        case .nothing(let place):
            switch place.meaning {
            case .key(let name), .value(let name):
                let handle = makeHandle(.key(self.place(place.path + [name])), flags)
                handle.pending = .untilRelease
                handle.createsOnWrite = true
                slots[slot] = handle
            case .scratch:
                let file = ModelScratch(in: place.directory)
                place.directory.scratch[place.name] = file
                slots[slot] = ModelHandle(.scratch(file), flags)
            case .children, .ownValue: throw FilesystemError.notPermitted
            }
        }
    }

    /// What reading a file may give that is open for reading alone, where it shows its key as it is
    /// by now, or as it was when it was removed through the mount; none where it is open for
    /// writing.
    func newest(ofSlot slot: Int) -> [StepResult] {
        guard let handle = slots[slot], !handle.flags.contains(.write),
            case .key(let place) = handle.target
        else { return [] }
        let content = place.path.map { key(at: $0)?.content } ?? place.lastContent
        let newest = content.map { StepResult.bytes(Bytes($0)) }
        return [newest, place.wasRemovedByOthers ? .failed(.stale) : nil].compactMap(\.self)
    }

    /// Reads all from the beginning: nothing is the end, and who reads on then is told anew.
    func read(_ handle: ModelHandle) -> [UInt8] {
        switch handle.target {
        case .key(let place):
            if handle.asksAtEnd, handle.content.isEmpty {
                if let key = place.path.flatMap(key(at:)) { handle.content = key.content }
                handle.asksAtEnd = handle.content.isEmpty
            } else if handle.content.isEmpty, !handle.flags.contains(.write) {
                handle.asksAtEnd = true
            }
            handle.isUsed = true
            return handle.content
        case .scratch(let file): return file.content
        }
    }

    func write(_ handle: ModelHandle, _ bytes: [UInt8], _ offset: Int) throws {
        switch handle.target {
        case .scratch(let file):
            let offset = handle.flags.contains(.append) ? file.content.count : offset
            try set(file.content.overwritten(with: bytes, at: offset), of: file)
        case .key(let place):
            defer {
                handle.pending = .nothing
                handle.createsOnWrite = false
            }
            if let path = place.path { finishPending(at: path, except: handle) }
            if !handle.flags.contains(.append) { try check(offset + bytes.count) }
            guard let path = place.path else { throw FilesystemError.stale }
            var content = handle.content
            if handle.flags.contains(.append) {
                let isOwn =
                    handle.pending == .untilClose
                    || handle.pending == .untilRelease && handle.flags.contains(.truncate)
                if !isOwn { content = key(at: path)?.content ?? [] }
                content += bytes
            } else {
                // The end that others have given the file.
                if offset > content.count, handle.pending == .nothing,
                    let key = key(at: path), key.content.count > content.count
                {
                    content = key.content
                }
                content = content.overwritten(with: bytes, at: offset)
            }
            try check(content.count)
            put(ModelKey.value(of: content), at: path)
            handle.content = content
            handle.isUsed = true
            handle.asksAtEnd = false
            follow(content, at: path)
        }
    }

    func truncate(_ handle: ModelHandle, _ size: Int) throws {
        switch handle.target {
        case .scratch(let file): try set(file.content.cut(to: size), of: file)
        case .key(let place):
            try check(size)
            // Whether a file that is gone can be cut off is no question that anybody asks.
            guard let path = place.path,
                key(at: handle.createsOnWrite ? path.dropLast() : path) != nil
            else { throw LeftOpen() }
            guard size != handle.content.count else { return }
            finishPending(at: path, except: handle)
            handle.content = handle.content.cut(to: size)
            handle.pending = .untilClose
        }
    }

    /// A scratch file that took a key's place is the key.
    private func set(_ content: [UInt8], of file: ModelScratch) throws {
        if let destination = file.destination {
            guard let path = destination.path else { throw LeftOpen() }
            guard content.count < Self.sizesLeftOpen.lowerBound else { throw LeftOpen() }
            put(ModelKey.value(of: content), at: path)
        }
        file.content = content
    }

    func close(_ slot: Int) throws {
        guard let handle = slots[slot] else { throw LeftOpen() }
        slots[slot] = nil
        guard case .key(let place) = handle.target else { return }
        defer { places.removeAll { $0 === place } }
        if handle.pending != .nothing, let path = place.path { finish(handle, at: path) }
    }

    // MARK: Renaming

    func rename(_ path: String, _ newPath: String, _ mode: RenameMode) throws {
        let (source, target) = (try find(path), try findBoth(path, newPath))
        guard source.exists else { throw FilesystemError.noEntry }
        _ = try findExisting(path)
        if target.exists { _ = try findExisting(newPath) }
        if mode == .keep, target.exists { throw FilesystemError.exists }
        if mode == .exchange, !target.exists { throw FilesystemError.noEntry }
        if case .directory(_, let path) = source, parent(of: newPath).starts(with: path) {
            throw FilesystemError.invalid
        }
        if case .directory(_, let newPath) = target, parent(of: path).starts(with: newPath) {
            throw mode == .exchange ? FilesystemError.invalid : FilesystemError.notEmpty
        }
        if isSame(source, target) { return }
        if mode == .replace, target.exists, source.isDirectory != target.isDirectory {
            throw source.isDirectory ? FilesystemError.notDirectory : FilesystemError.isDirectory
        }
        if case .scratch(let file, let directory, let name) = source {
            return try rename(file, in: directory, name, to: target, newPath, mode)
        }
        guard case .key(let name) = meaning(of: Self.names(path).last ?? ""),
            case .key(let newName) = meaning(of: Self.names(newPath).last ?? "")
        else { throw FilesystemError.notPermitted }
        let from = parent(of: path) + [name]
        let to = parent(of: newPath) + [newName]
        try move(from, to, target, mode)
    }

    /// The second of two names: the first is looked for first.
    private func findBoth(_ first: String, _ second: String) throws -> Found {
        _ = try find(first)
        return try find(second)
    }

    /// The key that the directory of a path is.
    private func parent(of path: String) -> [String] {
        Self.names(path).dropLast().map { name in
            name.hasSuffix(".dir") ? String(name.dropLast(4)) : name
        }
    }

    private func isSame(_ first: Found, _ second: Found) -> Bool {
        switch (first, second) {
        case (.directory(let one, _), .directory(let other, _)): one === other
        case (.file(let one, _), .file(let other, _)): one === other
        case (.scratch(let one, _, _), .scratch(let other, _, _)): one === other
        default: false
        }
    }

    private func move(
        _ from: [String],
        _ to: [String],
        _ target: Found,
        _ mode: RenameMode
    ) throws {
        guard let source = key(at: from), let fromName = from.last, let toName = to.last,
            let directory = key(at: to.dropLast()), let oldDirectory = key(at: from.dropLast())
        else { throw LeftOpen() }
        // A file of which `.dir` is the target's directory.
        guard !to.starts(with: from) else { throw FilesystemError.invalid }
        if mode == .exchange {
            guard let other = key(at: to) else { throw FilesystemError.notPermitted }
            take(from)
            oldDirectory.children[fromName] = other
            directory.children[toName] = source
            return move(from, to: to, exchanging: true)
        }
        switch target {
        case .directory(let key, _):
            guard key.children.isEmpty, key.scratch.isEmpty else { throw FilesystemError.notEmpty }
            guard key.value.isEmpty else { throw FilesystemError.notDirectory }
        case .scratch(_, let directory, let name): directory.scratch[name] = nil
        case .file(let key, _):
            // It was a directory: what is in memory alone would go with it.
            guard key.scratch.isEmpty else { throw LeftOpen() }
        case .nothing: break
        }
        detach(to)
        take(from)
        directory.children[toName] = source
        move(from, to: to, exchanging: false)
    }

    private func rename(
        _ file: ModelScratch,
        in oldDirectory: ModelKey,
        _ name: String,
        to target: Found,
        _ newPath: String,
        _ mode: RenameMode
    ) throws {
        let parentPath = parent(of: newPath)
        guard let directory = key(at: parentPath), let newName = Self.names(newPath).last else {
            throw LeftOpen()
        }
        let meaning = meaning(of: newName)
        if case .scratch(let other, _, _) = target {
            oldDirectory.scratch[name] = mode == .exchange ? other : nil
            directory.scratch[newName] = file
            return
        }
        let path: [String]
        switch meaning {
        case .scratch:
            oldDirectory.scratch[name] = nil
            directory.scratch[newName] = file
            return
        case .key(let key), .value(let key): path = parentPath + [key]
        case .ownValue: path = parentPath
        case .children: throw FilesystemError.notPermitted
        }
        guard mode != .exchange else { throw FilesystemError.notPermitted }
        if mode == .keep { _ = try findForNew(path) }
        try check(file.content.count)
        let key = key(at: path)
        let chosen = file.permissions(after: (key ?? directory).permissions)
        put(ModelKey.value(of: file.content), at: path)
        if let made = self.key(at: path) {
            made.permissions = chosen
            if made.emptyKind == nil { made.emptyKind = .file }
        }
        oldDirectory.scratch[name] = nil
        file.destination = place(path)
    }

    private func findForNew(_ path: [String]) throws {
        if key(at: path) != nil { throw FilesystemError.exists }
    }
}
