import XenstoreFilesystem
import XenstoreProtocol

/// Takes steps on a surface and in the model, and compares after each.
final class ModelRun {
    /// A step after which the surface and the model differ.
    struct Difference: Error {
        var position: Int
        var text: String
    }

    private let surface: any Surface
    private let base: String
    private let model: FilesystemModel
    private var files = [(any SurfaceFile)?](repeating: nil, count: Step.slots)

    /// - Parameter base: a name in the mount's root; the directory is made here.
    private init(_ surface: any Surface, base: String) async throws {
        self.surface = surface
        self.base = "/" + base
        try await surface.makeDirectory(self.base)
        model = FilesystemModel(
            root: try await surface.store.permissions(of: surface.key(self.base))
        )
    }

    /// Takes all steps.
    ///
    /// - Returns: the first difference, or nil.
    static func differ(
        _ steps: [Step],
        on surface: any Surface,
        base: String
    ) async throws -> Difference? {
        let run = try await ModelRun(surface, base: base)
        var difference: Difference?
        for (position, step) in steps.enumerated() {
            if let text = try await run.differ(step) {
                difference = Difference(position: position, text: "\(step): \(text)")
                break
            }
        }
        for slot in 0..<Step.slots {
            let text = try await run.differ(.close(slot))
            if difference == nil, let text {
                difference = Difference(
                    position: steps.count - 1,
                    text: "closing at the end: \(text)"
                )
            }
        }
        if difference == nil, let text = try await run.differ(.lookAtAll) {
            difference = Difference(position: steps.count - 1, text: "at the end: \(text)")
        }
        return difference
    }

    /// Takes a step.
    ///
    /// - Returns: what differs after it, or nil.
    private func differ(_ step: Step) async throws -> String? {
        var paths = touched(by: step)
        let before = paths.map { path in model.key(at: path).map { $0.kind } }
        guard let expected = model.take(step) else { return nil }
        let result = try await take(step)
        guard result == expected || isGone(expected, result) || isNewest(result, of: step) else {
            return "gave \(result), not \(expected)"
        }
        let isShapeKept = zip(paths, before).allSatisfy { path, before in
            // A key that an open file makes anew may have been a directory.
            guard let kind = before else { return step.slot.isEmpty }
            guard let key = model.key(at: path) else { return true }
            return kind != nil && key.kind == kind
        }
        paths = Set(paths + touched(by: step)).sorted { $0.count < $1.count }
        if step == .lookAtAll { return try await differAnywhere() }
        // What others do, what changes a shape and what closing leaves to do takes its time.
        let isImmediate = isShapeKept && step.isImmediate
        var text = try await differ(at: paths)
        for _ in 0..<1000 where text != nil && !isImmediate {
            try await Task.sleep(for: .milliseconds(2))
            text = try await differ(at: paths)
        }
        if text == nil { paths.forEach { model.key(at: $0)?.wasSeen() } }
        return text
    }

    /// Whether both say that nothing is there. For a moment the kernel knows a name that has just
    /// gone, and says that it is of the other kind, without asking.
    private func isGone(_ expected: StepResult, _ result: StepResult) -> Bool {
        expected == .failed(.noEntry)
            && [.failed(.notDirectory), .failed(.isDirectory)].contains(result)
    }

    /// Whether it is what an open file may show where the kernel keeps contents.
    private func isNewest(_ result: StepResult, of step: Step) -> Bool {
        guard surface.mayShowNewest, case .readOpen(let slot) = step else { return false }
        return model.newest(ofSlot: slot).contains(result)
    }

    // MARK: Comparing

    /// The keys that a step may change, and all above them.
    private func touched(by step: Step) -> [[String]] {
        let paths = step.paths.map(model.keyPath) + step.slot.map { model.keyPath(ofSlot: $0) }
        var all = paths.flatMap { path in (1...max(path.count, 1)).map { Array(path.prefix($0)) } }
        // What others make anew may have had other keys below it.
        if case .others = step { all += paths.flatMap(model.paths(below:)) }
        return Set(all.filter { !$0.isEmpty }).sorted { $0.count < $1.count }
    }

    private func differ(at paths: [[String]]) async throws -> String? {
        for path in paths {
            if let text = try await differ(at: path) { return text }
        }
        guard let last = paths.last, last.count > 1 else { return nil }
        return try await differInList(of: Array(last.dropLast()))
    }

    /// What differs in a key: to a program, and in the store.
    private func differ(at path: [String]) async throws -> String? {
        let name = "/" + path.joined(separator: "/")
        let shown = try await take(.status(name))
        if let expected = model.take(.status(name)), shown != expected {
            return "\(name) is \(shown), not \(expected)"
        }
        if case .status(let status) = shown, status.kind == .file, let key = model.key(at: path),
            key.kind == nil
        {
            key.wasShownAsFile()
            model.show(key, at: path)
        }
        let key = surface.key(base + name)
        let answers = await surface.store.send([.read(key), .getPermissions(key)], in: .none)
        let stored: String
        do throws(XenstoreError) {
            let permissions = Permissions(payload: try answers[1].get())
            stored = "\(Bytes(try answers[0].get())) \(permissions?.description ?? "?")"
        } catch {
            stored = "\(error)"
        }
        let expected = model.key(at: path).map { "\(Bytes($0.value)) \($0.permissions)" }
        guard stored != expected ?? "\(XenstoreError.refused(.noEntry))" else { return nil }
        return "\(name) is in the store \(stored), not \(expected ?? "nothing")"
    }

    private func differInList(of path: [String]) async throws -> String? {
        let name = "/" + path.joined(separator: "/")
        guard let expected = model.take(.list(name)) else { return nil }
        let listed = try await take(.list(name))
        return listed == expected ? nil : "the list of \(name) is \(listed), not \(expected)"
    }

    private func differAnywhere() async throws -> String? {
        var next: [[String]] = model.root.children.keys.sorted().map { [$0] }
        while let path = next.popLast(), let key = model.key(at: path) {
            let name = "/" + path.joined(separator: "/")
            if let text = try await differ(at: path) { return text }
            if let text = try await differInList(of: path) { return text }
            var steps = [
                Step.permissions(name), .accessList(name), .value(name), .read(name + ".value"),
            ]
            steps += key.scratch.keys.sorted().flatMap { file -> [Step] in
                let path = name + "/" + file
                return [.status(path), .read(path), .permissions(path), .accessList(path)]
            }
            for step in steps {
                guard let expected = model.take(step) else { continue }
                let result = try await take(step)
                if result != expected { return "\(step) gave \(result), not \(expected)" }
            }
            key.wasSeen()
            next += key.children.keys.sorted().map { path + [$0] }
        }
        return nil
    }

    // MARK: On the surface

    private func take(_ step: Step) async throws -> StepResult {
        do {
            return try await result(of: step)
        } catch let error as FilesystemError {
            return .failed(error)
        }
    }

    private func result(of step: Step) async throws -> StepResult {
        switch step {
        case .makeDirectory(let path): try await surface.makeDirectory(base + path)
        case .create(let path): try await surface.createExclusively(base + path)
        case .write(let path, let bytes): try await surface.write(bytes.bytes, to: base + path)
        case .append(let path, let bytes): try await surface.append(bytes.bytes, to: base + path)
        case .truncate(let path, let size): try await surface.truncate(base + path, to: size)
        case .makeTemporary(let path, let bytes):
            try await surface.makeTemporary(bytes.bytes, at: base + path)
        case .unlink(let path): try await surface.unlink(base + path)
        case .removeDirectory(let path): try await surface.removeDirectory(base + path)
        case .rename(let path, let newPath, let mode):
            try await surface.rename(base + path, to: base + newPath, mode)
        case .setMode(let path, let mode): try await surface.setMode(mode, of: base + path)
        case .setOwner(let path, let owner): try await surface.setOwner(owner, of: base + path)
        case .setGroup(let path, let group): try await surface.setGroup(group, of: base + path)
        case .setAccessList(let path, let list):
            try await surface.setAttribute(Self.accessList, to: list.bytes, of: base + path)
        case .removeAccessList(let path):
            try await surface.removeAttribute(Self.accessList, of: base + path)
        case .setPermissions(let path, let text):
            try await surface.setAttribute(Self.permissions, to: Array(text.utf8), of: base + path)
        case .setValue(let path, let bytes):
            try await surface.setAttribute(Self.value, to: bytes.bytes, of: base + path)
        case .read(let path): return .bytes(Bytes(try await surface.read(base + path)))
        case .status(let path): return .status(try await surface.status(base + path))
        case .list(let path):
            let names = try await surface.list(base + path).map { ($0.name, $0.kind) }
            return .names(Dictionary(names) { first, _ in first })
        case .permissions(let path):
            return .bytes(Bytes(try await surface.attribute(Self.permissions, of: base + path)))
        case .accessList(let path):
            return .bytes(Bytes(try await surface.attribute(Self.accessList, of: base + path)))
        case .value(let path):
            return .bytes(Bytes(try await surface.attribute(Self.value, of: base + path)))
        case .open, .writeOpen, .readOpen, .truncateOpen, .close: return try await use(step)
        case .others(let changes): for change in changes { try await apply(change) }
        case .lookAtAll: break
        }
        return .done
    }

    private static let permissions = "user.xenstore.perms"
    private static let value = "user.xenstore.value"
    private static let accessList = "system.posix_acl_access"

    private func use(_ step: Step) async throws -> StepResult {
        switch step {
        case .open(let slot, let path, let flags, let creating):
            files[slot] = try await surface.open(base + path, flags, creating: creating)
        case .writeOpen(let slot, let bytes, let offset):
            try await files[slot]?.write(bytes.bytes, at: offset)
        case .readOpen(let slot): return .bytes(Bytes(try await files[slot]?.read() ?? []))
        case .truncateOpen(let slot, let size): try await files[slot]?.truncate(to: size)
        case .close(let slot):
            let file = files[slot]
            files[slot] = nil
            try await file?.close()
        default: preconditionFailure("\(step) is about no open file")
        }
        return .done
    }

    private func apply(_ change: Change) async throws {
        let key = surface.key(base + change.path)
        do {
            switch change {
            case .put(_, let value): try await surface.store.write(value.bytes, to: key)
            case .remove: try await surface.store.remove(key)
            case .setPermissions(_, let text):
                try await surface.store.setPermissions(model.permissions(text), of: key)
            }
        } catch XenstoreError.refused(.noEntry) {
            // There was nothing to change.
        }
    }
}

extension Step {
    /// What it is about.
    fileprivate var paths: [String] {
        switch self {
        case .makeDirectory(let path), .create(let path), .write(let path, _),
            .append(let path, _), .truncate(let path, _), .makeTemporary(let path, _),
            .unlink(let path), .removeDirectory(let path), .setMode(let path, _),
            .setOwner(let path, _), .setGroup(let path, _), .setPermissions(let path, _),
            .setAccessList(let path, _), .removeAccessList(let path), .setValue(let path, _),
            .open(_, let path, _, _), .read(let path), .status(let path), .list(let path),
            .permissions(let path), .accessList(let path), .value(let path):
            [path]
        case .rename(let path, let newPath, _): [path, newPath]
        case .others(let changes): changes.map(\.path)
        case .writeOpen, .readOpen, .truncateOpen, .close, .lookAtAll: []
        }
    }

    fileprivate var slot: [Int] {
        switch self {
        case .writeOpen(let slot, _, _), .truncateOpen(let slot, _), .close(let slot): [slot]
        default: []
        }
    }

    /// Whether all of it is done when the system call returns.
    fileprivate var isImmediate: Bool {
        switch self {
        case .others, .close: false
        case .write(_, let bytes): !bytes.bytes.isEmpty
        default: true
        }
    }
}

extension FilesystemModel {
    /// The key that a path is about, by the plain names.
    func keyPath(_ path: String) -> [String] {
        Self.names(path).compactMap { name in
            switch meaning(of: name) {
            case .key(let key), .value(let key), .children(let key): key
            case .ownValue, .scratch: nil
            }
        }
    }

    /// All keys below one.
    func paths(below path: [String]) -> [[String]] {
        (key(at: path)?.children.keys.sorted() ?? []).flatMap { name in
            [path + [name]] + paths(below: path + [name])
        }
    }

    /// The key that is open.
    func keyPath(ofSlot slot: Int) -> [String] {
        switch slots[slot]?.target {
        case .key(let place): place.path ?? []
        case .scratch(let file): file.destination?.path ?? []
        case nil: []
        }
    }
}
