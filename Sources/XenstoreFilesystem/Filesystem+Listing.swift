import XenstoreProtocol

extension Filesystem {
    public func openDirectory(_ inode: InodeNumber) async throws(FilesystemError) -> HandleID {
        let node = try findDirectory(inode)
        let names = try await names(in: node)
        node.handleCount += 1
        return directories.insert(OpenDirectory(node: node, names: names))
    }

    public func releaseDirectory(_ handle: HandleID) {
        guard let directory = directories.remove(handle) else { return }
        directory.node.handleCount -= 1
        keys.dropUnused(directory.node)
    }

    /// The names that a directory shows: the children, and the own value where there is one.
    private func names(in node: KeyNode) async throws(FilesystemError) -> [String] {
        let path = try node.path()
        let serial = changes.serial
        let answers = await access.send(
            [.read(path), .directory(path), .getPermissions(path)],
            in: .none
        )
        let facts: KeyFacts
        do throws(XenstoreError) {
            facts = try KeyFacts(answers: answers[...])
        } catch .refused(.noEntry) {
            throw staleOrGone(node)
        } catch {
            throw FilesystemError(error, at: path)
        }
        learn(facts, of: node, path, asOf: serial)
        try requireView(.directory, of: node, facts)
        var names = try await children(of: path, answers[1])
        remember(names, of: node, path, asOf: serial)
        // First, so that rm -r empties the value before the last child goes: the other way round
        // the key would turn into a file under its hands.
        if !facts.value.isEmpty { names.insert(NameMeaning.ownValueName, at: 0) }
        return names + scratch.names(in: node)
    }

    /// The names in the answer to DIRECTORY, or by parts where one message does not hold them.
    private func children(
        of path: XenstorePath,
        _ answer: Result<[UInt8], XenstoreError>
    ) async throws(FilesystemError) -> [String] {
        do throws(XenstoreError) {
            guard case .success(let payload) = answer else {
                return try await access.directoryByParts(path, in: .none)
            }
            return try access.childNames(payload)
        } catch {
            throw FilesystemError(error)
        }
    }

    // MARK: Entries

    public func list(
        _ handle: HandleID,
        offset: Int,
        fits: (_ name: String) -> Bool
    ) async throws(FilesystemError) -> [DirectoryEntry] {
        let directory = try directories.find(handle)
        if offset == 0, !directory.isFresh {
            // rewinddir(3): the program wants to see what is there now.
            directory.names = try await names(in: directory.node)
        }
        directory.isFresh = false
        let dots = [".", ".."]
        var selected: [(name: String, nextOffset: Int)] = []
        for position in max(offset, 0)..<(dots.count + directory.names.count) {
            let name =
                position < dots.count ? dots[position] : directory.names[position - dots.count]
            guard fits(name) else { break }
            selected.append((name, position + 1))
        }
        return try await entries(selected, of: directory.node)
    }

    /// Asks for all keys of a part of a listing in one pipelined batch.
    private func entries(
        _ selected: [(name: String, nextOffset: Int)],
        of parent: KeyNode
    ) async throws(FilesystemError) -> [DirectoryEntry] {
        let serial = changes.serial
        var requests: [Request] = []
        var plans: [EntryPlan] = []
        for (name, _) in selected {
            let plan = try plan(name, of: parent, firstAnswer: requests.count)
            requests += plan.requests
            plans.append(plan)
        }
        let answers = await access.send(requests, in: .none)
        var entries: [DirectoryEntry] = []
        for (plan, (name, nextOffset)) in zip(plans, selected) {
            func add(_ target: DirectoryEntry.Target) {
                entries.append(
                    DirectoryEntry(name: name, target: target, nextOffset: nextOffset)
                )
            }
            if plan.isScratch {
                if let file = scratch.find(name, in: parent) { add(.entry(self.entry(file))) }
                continue
            }
            guard plan.key != nil else {
                let node = name == ".." ? parent.parent ?? parent : parent
                add(.directory(node.inode(.directory)))
                continue
            }
            let part = answers[plan.firstAnswer..<(plan.firstAnswer + plan.requests.count)]
            switch plan.facts(part) {
            case .success(let facts):
                add(.entry(entry(plan, facts, of: parent, asOf: serial)))
            case .failure(.refused(.noEntry)):
                // Gone since the listing was made.
                continue
            case .failure(.refused):
                // The name is no secret, the key is: a guest may list what it may not read.
                add(.unknown)
            case .failure(let error):
                undo(entries)
                throw FilesystemError(error)
            }
        }
        return entries
    }

    private func entry(
        _ plan: EntryPlan,
        _ facts: KeyFacts,
        of parent: KeyNode,
        asOf serial: Int
    ) -> Entry {
        guard let key = plan.key, let path = plan.path else {
            preconditionFailure("an entry is made for a key alone")
        }
        guard !plan.isOwnValue else {
            return enterValue(facts, of: parent, path, asOf: serial)
        }
        return enter(key, of: parent, as: nil, facts, path, asOf: serial)
    }

    private func undo(_ entries: [DirectoryEntry]) {
        for case .entry(let entry) in entries.map(\.target) {
            forget(entry.attributes.inode, count: 1)
        }
    }

    private func plan(
        _ name: String,
        of parent: KeyNode,
        firstAnswer: Int
    ) throws(FilesystemError) -> EntryPlan {
        guard name != ".", name != ".." else { return EntryPlan(firstAnswer: firstAnswer) }
        if scratch.find(name, in: parent) != nil {
            var plan = EntryPlan(firstAnswer: firstAnswer)
            plan.isScratch = true
            return plan
        }
        let isOwnValue = name == NameMeaning.ownValueName
        let path = try isOwnValue ? parent.path() : parent.path(ofChild: name)
        let node = isOwnValue ? parent : keys.child(name, of: parent)
        var plan = EntryPlan(firstAnswer: firstAnswer)
        plan.key = name
        plan.path = path
        plan.isOwnValue = isOwnValue
        plan.hasChildren = isWatching ? node?.hasChildren : nil
        plan.permissions = isWatching ? node?.permissions : nil
        return plan
    }
}

/// What is asked for one name of a listing, and what is known without.
private struct EntryPlan {
    let firstAnswer: Int
    /// Nil for `.` and `..`.
    var key: String?
    var path: XenstorePath?
    var isOwnValue = false
    /// Memory knows all of it.
    var isScratch = false
    var hasChildren: Bool?
    var permissions: Permissions?

    init(firstAnswer: Int) {
        self.firstAnswer = firstAnswer
    }

    private var isKnown: Bool { hasChildren != nil && permissions != nil }

    var requests: [Request] {
        guard let path else { return [] }
        return isKnown ? [.read(path)] : [.read(path), .directory(path), .getPermissions(path)]
    }

    func facts(
        _ answers: ArraySlice<Result<[UInt8], XenstoreError>>
    ) -> Result<KeyFacts, XenstoreError> {
        guard let hasChildren, let permissions, let answer = answers.first else {
            return Result { () throws(XenstoreError) in try KeyFacts(answers: answers) }
        }
        return answer.map {
            KeyFacts(value: $0, hasChildren: hasChildren, permissions: permissions)
        }
    }
}
