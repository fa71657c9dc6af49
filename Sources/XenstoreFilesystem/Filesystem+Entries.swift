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
        var queries: [ChildQuery] = []
        var plans: [EntryPlan] = []
        for (name, nextOffset) in selected {
            var plan = EntryPlan(name: name, nextOffset: nextOffset)
            let isNear = listing.children.count + queries.count < FilesystemLimits.readaheadMax
            if let query = try complete(&plan, in: directory, listing, isNear: isNear) {
                queries.append(query)
            }
            plans.append(plan)
        }
        let requests = queries.flatMap(\.requests)
        let sent = requests.isEmpty ? [] : await reader.access.send(requests, in: .none)
        let answers = reader.childAnswers(queries, sent[...])
        var entries: [DirectoryEntry] = []
        for index in plans.indices {
            plans[index].answer = answers[plans[index].name] ?? plans[index].answer
        }
        for plan in plans {
            do throws(XenstoreError) {
                guard
                    let target = try target(plan, in: directory, listing, asOf: version)
                else { continue }
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

    /// Finds out what must be asked for an entry; nil where nothing must.
    ///
    /// - Parameter isNear: whether a program comes to it while what is asked now still serves.
    private func complete(
        _ plan: inout EntryPlan,
        in directory: OpenDirectory,
        _ listing: Listing,
        isNear: Bool
    ) throws(FilesystemError) -> ChildQuery? {
        let name = plan.name
        guard name != ".", name != "..", name != NameMeaning.ownValueName,
            scratchEntry(name, in: directory.node) == nil,
            scratch.directory(of: directory.node) == nil
        else { return nil }
        let path = try directory.node.path(ofChild: name)
        let node = keys.child(name, of: directory.node)
        plan.path = path
        plan.hasChildren = changes.isWatching ? node?.hasChildren : nil
        if let known = listing.children[name], plan.hasChildren != nil || known.names != nil {
            plan.answer = known
            return nil
        }
        return reader.childQuery(name, node, path, for: isNear ? directory.caller : .nobody)
    }

    /// What a name of a listing leads to; nil for a scratch file that is gone.
    private func target(
        _ plan: EntryPlan,
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
        let answer = plan.answer
        if case .failure(.refused(.noEntry))? = answer?.stat { throw .refused(.noEntry) }
        var hasChildren = plan.hasChildren
        // Nil where they were not asked for, or fit no message.
        var names: [UInt8]? = hasChildren == false ? [] : nil
        if hasChildren == nil, let list = answer?.names {
            hasChildren = try KeyStat.hasChildren(list)
            names = try? list.get()
        }
        let known = keys.child(plan.name, of: parent)
        let kind = try kind(hasChildren: hasChildren ?? false, answer?.stat, known, path)
        let stat = try? answer?.stat?.get()
        if let known, known.reportedKind == kind, known.lookups(kind) > 0 {
            if let stat { learned(stat.stat, of: known, at: path) }
            give(known, kind, stat, in: directory)
            return .known(known.inode(kind), kind)
        }
        let version = answer?.version ?? version
        let entry = enterListed(
            plan.name,
            of: parent,
            as: kind,
            hasChildren: hasChildren ?? false,
            names: plan.hasChildren == nil ? names : nil,
            path,
            asOf: version
        )
        if let node = keys.child(plan.name, of: parent) {
            if let stat { learned(stat.stat, of: node, at: path) }
            give(node, kind, stat, in: directory)
            reader.readahead.hint(names ?? [], of: node)
            // Nobody asks for them again while this stands.
            if plan.hasChildren == nil, names?.isEmpty == true { dropChildren(of: node) }
            if kind == .directory, let names {
                recordBaseline(list: names, of: node, path, asOf: version)
            }
        }
        return .entry(entry)
    }

    /// A name of a listing is given out, and what was read ahead of its key is kept.
    private func give(
        _ node: KeyNode,
        _ kind: FileKind,
        _ ahead: CachedStat?,
        in directory: OpenDirectory
    ) {
        let inode = node.inode(kind)
        directory.readahead.append(inode)
        if let ahead { reader.readahead.put(ahead, for: inode, kind, in: directory) }
    }

    private func kind(
        hasChildren: Bool,
        _ stat: Result<CachedStat, XenstoreError>?,
        _ node: KeyNode?,
        _ path: XenstorePath
    ) throws(XenstoreError) -> FileKind {
        if let kind = keys.kindWithoutValue(hasChildren: hasChildren, node, path) { return kind }
        // An empty key that shows as a directory.
        return try stat?.get().stat.value.isEmpty == false ? .file : .directory
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
    /// What the store has said of the child.
    var answer: ChildAnswer?

    init(name: String, nextOffset: Int) {
        self.name = name
        self.nextOffset = nextOffset
    }
}
