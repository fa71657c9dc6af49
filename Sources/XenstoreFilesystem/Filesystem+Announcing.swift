import XenstoreProtocol

/// What is known of keys before they change, and what this mount changes itself.
extension Filesystem {
    /// Keeps what a lookup or a listing has told of a key, where nothing was known of it.
    func remember(
        _ facts: KeyFacts,
        _ view: View,
        of node: KeyNode,
        _ path: XenstorePath,
        asOf serial: Int
    ) {
        guard isAnnouncing, !changes.hasChanged(path, since: serial) else { return }
        // Nobody would keep it up to date where the kernel does not know the directory.
        if view == .directory, node.directoryLookups > 0, node.announced == nil,
            let names = facts.names
        {
            node.announced = ChildRecords(names: names)
        }
        // A name that the record does not have is new: its event is to come, and tells of it.
        if let parent = node.parent, parent.announced?[node.name]?.isKnown == false {
            parent.announced?[node.name] = ChildRecords.Record(
                facts,
                isDirectory: view == .directory
            )
        }
    }

    /// Keeps the list of a DIRECTORY reply, where the names were not known.
    func remember(list: [UInt8], of node: KeyNode, _ path: XenstorePath, asOf serial: Int) {
        guard isAnnouncing, node.announced == nil, !changes.hasChanged(path, since: serial) else {
            return
        }
        node.announced = ChildRecords(names: list)
    }

    /// Keeps the names of a listing, where they were not known.
    func remember(_ names: [String], of node: KeyNode, _ path: XenstorePath, asOf serial: Int) {
        guard isAnnouncing, node.announced == nil, !changes.hasChanged(path, since: serial) else {
            return
        }
        node.announced = ChildRecords(names: names.flatMap { Array($0.utf8) + [0] })
    }

    /// A program that can watch files has looked a directory up: what it is told of the children
    /// must be right from the first change on.
    func prepareForWatch(_ node: KeyNode, by caller: CallerID) async {
        if isToPrepareForWatch(node, by: caller) { await learnChildren(of: node) }
    }

    func isToPrepareForWatch(_ node: KeyNode, by caller: CallerID) -> Bool {
        isAnnouncing && node.announced?.isComplete != true && environment.mayWatch(caller)
    }

    /// Asks for the children of a directory of which nothing is known yet.
    func learnChildren(of node: KeyNode) async {
        guard let path = try? node.path() else { return }
        if node.announced == nil {
            let serial = changes.serial
            guard let names = try? await access.base.directory(path) else { return }
            remember(names, of: node, path, asOf: serial)
        }
        guard let names = node.announced?.unknownNames,
            names.count <= FilesystemLimits.watchBaseline
        else { return }
        let paths = names.compactMap { name in (try? path.appending(name)).map { (name, $0) } }
        var rest = paths[...]
        while !rest.isEmpty {
            let part = rest.prefix(FilesystemLimits.revalidationBatch)
            rest = rest.dropFirst(part.count)
            let serial = changes.serial
            let answers = await access.base.send(
                part.flatMap { FactsQuery($0.1, known: nil).requests },
                in: .none
            )
            for (index, (name, path)) in part.enumerated() {
                let query = FactsQuery(path, known: nil)
                guard let facts = try? query.facts(answers[(3 * index)..<(3 * index + 3)]),
                    !changes.hasChanged(path, since: serial),
                    node.announced?[name]?.isKnown == false
                else { continue }
                // As it will show itself when it is looked up.
                let view = view(facts, named: name, in: node, nil)
                node.announced?[name] = ChildRecords.Record(facts, isDirectory: view == .directory)
            }
        }
    }

    // MARK: Own changes

    /// A key has another name, or had: what was told of it goes along.
    func takeOverMove(
        of key: String,
        in source: KeyNode,
        to newKey: String,
        in target: KeyNode,
        exchanges: Bool
    ) {
        let moved = source.announced?[key]
        let replaced = target.announced?[newKey]
        source.announced?[key] = exchanges ? replaced ?? .unknown : nil
        target.announced?[newKey] = moved ?? .unknown
    }

    /// This mount changes keys for a program, and the kernel tells of that by itself.
    ///
    /// - Returns: to be called with whether the store has done it.
    func noteOwnChange(_ requests: [Request]) -> (Bool) -> Void {
        for path in requests.compactMap(\.changedPath) { foresee(path) }
        guard isAnnouncing else {
            return { [self] isDone in
                settleTimes(of: requests, isDone)
                if isDone { revoke(what: requests) }
            }
        }
        let numbers = requests.compactMap { request in
            request.changedPath.map { announcer.own.begin($0, coversBelow: request.isRemoval) }
        }
        return { [self] isDone in
            for number in numbers { announcer.own.answered(number) }
            settleTimes(of: requests, isDone)
            if isDone { revoke(what: requests) }
            // What moves takes along what is known of it.
            guard isDone, !requests.isMove else { return }
            for request in requests { takeOver(request) }
        }
    }

    private func revoke(what requests: [Request]) {
        for request in requests {
            guard let path = request.changedPath else { continue }
            revoke(at: path, andBelow: request.isRemoval)
        }
    }

    /// Keeps what a change of our own has made of a key.
    private func takeOver(_ request: Request) {
        guard let path = request.changedPath, options.subtree.contains(path) else { return }
        let names = names(to: path)
        guard let last = names.last.map(String.init) else {
            switch request {
            case .write(_, let value): announcer.rootRecord?.set(value: value)
            case .setPermissions(_, let permissions):
                announcer.rootRecord?.set(permissions: permissions)
            default: break
            }
            return
        }
        let isRemoval = request.isRemoval
        var directory = keys.root
        for name in names.dropLast() {
            if !isRemoval { announcer.noteSeen(String(name), in: directory) }
            guard let child = keys.child(String(name), of: directory) else { return }
            directory = child
        }
        if !isRemoval { announcer.noteSeen(last, in: directory) }
        guard directory.announced != nil else { return }
        if isRemoval {
            directory.announced?[last] = nil
            return
        }
        var record = directory.announced?[last] ?? .unknown
        switch request {
        case .write(_, let value): record.set(value: value)
        case .makeDirectory where !record.isKnown: record.set(value: [])
        case .setPermissions(_, let permissions): record.set(permissions: permissions)
        default: break
        }
        directory.announced?[last] = record
    }
}

extension [Request] {
    /// Whether keys go from one place to another. What else removes a key makes none.
    var isMove: Bool {
        count > 1 && contains(where: \.isRemoval) && !allSatisfy(\.isRemoval)
    }
}

extension Request {
    /// The key that a request changes.
    var changedPath: XenstorePath? {
        switch self {
        case .write(let path, _), .makeDirectory(let path), .remove(let path),
            .setPermissions(let path, _):
            path
        default: nil
        }
    }

    fileprivate var isRemoval: Bool {
        if case .remove = self { return true }
        return false
    }
}
