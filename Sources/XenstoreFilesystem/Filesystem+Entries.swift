import XenstoreProtocol

extension Filesystem {
    /// Makes the entries of a part of a listing. The shapes that are not known are asked for in one
    /// pipelined batch; whoever wants more than the type of an entry asks for it by stat(2).
    func entries(
        _ selected: [(name: String, nextOffset: Int)],
        of directory: OpenDirectory,
        _ listing: Listing
    ) async throws(FilesystemError) -> [DirectoryEntry] {
        let version = changes.version
        var requests: [Request] = []
        var plans: [EntryPlan] = []
        for (name, nextOffset) in selected {
            var plan = EntryPlan(name: name, nextOffset: nextOffset)
            try complete(&plan, in: directory, listing, &requests)
            plans.append(plan)
        }
        let answers = requests.isEmpty ? [] : await reader.access.send(requests, in: .none)
        var entries: [DirectoryEntry] = []
        for plan in plans {
            do throws(XenstoreError) {
                guard
                    let target = try target(
                        plan,
                        answers,
                        in: directory,
                        listing,
                        asOf: version
                    )
                else {
                    continue
                }
                entries.append(
                    DirectoryEntry(name: plan.name, target: target, nextOffset: plan.nextOffset)
                )
            } catch .refused(.noEntry) {
                // Gone since the listing was made.
                continue
            } catch .refused {
                // The name is no secret, the key is: a guest may list what it may not read.
                entries.append(
                    DirectoryEntry(name: plan.name, target: .unknown, nextOffset: plan.nextOffset)
                )
            } catch {
                undo(entries)
                throw FilesystemError(error)
            }
        }
        return entries
    }

    private func undo(_ entries: [DirectoryEntry]) {
        for case .entry(let entry) in entries.map(\.target) {
            forget(entry.attributes.inode, count: 1)
        }
    }

    /// Finds out what must be asked to tell the type of an entry.
    private func complete(
        _ plan: inout EntryPlan,
        in directory: OpenDirectory,
        _ listing: Listing,
        _ requests: inout [Request]
    ) throws(FilesystemError) {
        let name = plan.name
        guard name != ".", name != "..", name != NameMeaning.ownValueName,
            scratchEntry(name, in: directory.node) == nil,
            scratch.directory(of: directory.node) == nil
        else { return }
        let path = try directory.node.path(ofChild: name)
        let node = keys.child(name, of: directory.node)
        plan.path = path
        plan.hasChildren = changes.isWatching ? node?.hasChildren : nil
        plan.hint = listing.children[name]
        if plan.hasChildren == nil, plan.hint == nil {
            plan.childrenAnswer = requests.count
            requests.append(.directory(path))
        }
        if plan.hasChildren ?? plan.hint.map(isList) != true,
            keys.kindWithoutValue(hasChildren: false, node, path) == nil
        {
            plan.valueAnswer = requests.count
            requests.append(.read(path))
        }
    }

    /// Whether an answer to DIRECTORY has names.
    private func isList(_ answer: Result<[UInt8], XenstoreError>) -> Bool {
        (try? KeyStat.hasChildren(answer)) == true
    }

    /// What a name of a listing leads to; nil for a scratch file that is gone.
    private func target(
        _ plan: EntryPlan,
        _ answers: [Result<[UInt8], XenstoreError>],
        in directory: OpenDirectory,
        _ listing: Listing,
        asOf version: ChangeLog.Version
    ) throws(XenstoreError) -> DirectoryEntry.Target? {
        let parent = directory.node
        guard let path = plan.path else {
            switch plan.name {
            case ".": return .known(parent.inode(.directory), .directory)
            case "..": return .known((parent.parent ?? parent).inode(.directory), .directory)
            case NameMeaning.ownValueName:
                let path = try? parent.path()
                return path.map {
                    .entry(enterValue(listing.stat, of: parent, $0))
                }
            default: return scratchEntry(plan.name, in: parent).map { .entry($0) }
            }
        }
        var hasChildren = plan.hasChildren
        // Nil where they were not asked for, or fit no message.
        var names: [UInt8]? = hasChildren == false ? [] : nil
        if let answer = plan.childrenAnswer.map({ answers[$0] }) ?? plan.hint,
            hasChildren == nil
        {
            hasChildren = try KeyStat.hasChildren(answer)
            names = try? answer.get()
        }
        let kind = try kind(
            hasChildren: hasChildren ?? false,
            value: plan.valueAnswer.map { answers[$0] },
            keys.child(plan.name, of: parent),
            path
        )
        if let node = keys.child(plan.name, of: parent), node.reportedKind == kind,
            node.lookups(kind) > 0
        {
            directory.readahead.append(node.inode(kind))
            return .known(node.inode(kind), kind)
        }
        let version = plan.hint == nil ? version : listing.stat.version
        let entry = enterListed(
            plan.name,
            of: parent,
            as: kind,
            hasChildren: hasChildren ?? false,
            names: plan.hasChildren == nil ? names : nil,
            path,
            asOf: version
        )
        directory.readahead.append(entry.attributes.inode)
        if let node = keys.child(plan.name, of: parent) {
            reader.hint(names ?? [], of: node)
            // Nobody asks for them again while this stands.
            if plan.hasChildren == nil, names?.isEmpty == true { dropChildren(of: node) }
            if kind == .directory, let names {
                recordBaseline(list: names, of: node, path, asOf: version)
            }
        }
        return .entry(entry)
    }

    private func kind(
        hasChildren: Bool,
        value: Result<[UInt8], XenstoreError>?,
        _ node: KeyNode?,
        _ path: XenstorePath
    ) throws(XenstoreError) -> FileKind {
        if let kind = keys.kindWithoutValue(hasChildren: hasChildren, node, path) { return kind }
        // An empty key that shows as a directory.
        return try value?.get().isEmpty == false ? .file : .directory
    }
}

/// What is asked for one name of a listing, and what is known without.
private struct EntryPlan {
    let name: String
    let nextOffset: Int
    /// Nil for what is not a key by itself: `.`, `..`, `.value` and scratch files.
    var path: XenstorePath?
    /// As the watch keeps it.
    var hasChildren: Bool?
    /// The answer to DIRECTORY that came with the listing.
    var hint: Result<[UInt8], XenstoreError>?
    /// Where the answer to DIRECTORY will be.
    var childrenAnswer: Int?
    /// Where the answer to READ will be.
    var valueAnswer: Int?

    init(name: String, nextOffset: Int) {
        self.name = name
        self.nextOffset = nextOffset
    }
}
