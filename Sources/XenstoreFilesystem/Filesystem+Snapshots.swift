import XenstoreProtocol

/// What is known of keys before they change, and what this mount changes itself.
extension Filesystem {
    /// Keeps what a lookup or a listing has told of a key, where nothing was known of it.
    func recordBaseline(
        _ stat: KeyStat,
        _ kind: FileKind,
        of node: KeyNode,
        _ path: XenstorePath
    ) {
        guard notifiesInotify, !changes.hasChanged(path, since: stat.version) else { return }
        // Nobody would keep it up to date where the kernel does not know the directory.
        if kind == .directory, node.directoryLookups > 0, node.snapshot == nil,
            let names = stat.names
        {
            node.snapshot = DirectorySnapshot(names: names)
        }
        // A name that the snapshot does not have is new: its event is to come.
        if let parent = node.parent, parent.snapshot?[node.name]?.isKnown == false {
            parent.snapshot?[node.name] = DirectorySnapshot.Fingerprint(
                stat,
                isDirectory: kind == .directory
            )
        }
    }

    /// Keeps the list of a DIRECTORY reply, where the names were not known.
    func recordBaseline(
        list: [UInt8],
        of node: KeyNode,
        _ path: XenstorePath,
        asOf version: ChangeLog.Version
    ) {
        guard notifiesInotify, node.snapshot == nil, !changes.hasChanged(path, since: version)
        else { return }
        node.snapshot = DirectorySnapshot(names: list)
    }

    /// Keeps the names of a listing, where they were not known.
    func recordBaseline(
        _ names: [String],
        of node: KeyNode,
        _ path: XenstorePath,
        asOf version: ChangeLog.Version
    ) {
        guard notifiesInotify, node.snapshot == nil, !changes.hasChanged(path, since: version)
        else { return }
        node.snapshot = DirectorySnapshot(names: names.flatMap { Array($0.utf8) + [0] })
    }

    /// A program that can watch files has looked a directory up: what it is told of the children
    /// must be right from the first change on.
    func prepareForWatch(_ node: KeyNode, by caller: CallerID) async {
        if isToPrepareForWatch(node, by: caller) { await cacheChildren(of: node) }
    }

    func isToPrepareForWatch(_ node: KeyNode, by caller: CallerID) -> Bool {
        notifiesInotify && node.snapshot?.isComplete != true && environment.mayWatch(caller)
    }

    /// Asks for the children of a directory of which nothing is known yet.
    func cacheChildren(of node: KeyNode) async {
        guard let path = try? node.path() else { return }
        if node.snapshot == nil {
            let version = changes.version
            guard let names = try? await access.base.directory(path) else { return }
            recordBaseline(names, of: node, path, asOf: version)
        }
        guard let names = node.snapshot?.unknownNames,
            names.count <= FilesystemLimits.watchBaseline
        else { return }
        let paths = names.compactMap { name in (try? path.appending(name)).map { (name, $0) } }
        var rest = paths[...]
        while !rest.isEmpty {
            let part = rest.prefix(FilesystemLimits.revalidationBatch)
            rest = rest.dropFirst(part.count)
            let version = changes.version
            let queries = part.map { StatQuery($0.1, at: version) }
            let answers = await access.base.stat(queries)
            for ((name, path), stat) in zip(part, answers) {
                guard let stat = try? stat.get(), !changes.hasChanged(path, since: version),
                    node.snapshot?[name]?.isKnown == false
                else { continue }
                // As it will show itself when it is looked up.
                let kind = kind(stat, named: name, in: node, nil)
                node.snapshot?[name] = DirectorySnapshot.Fingerprint(
                    stat,
                    isDirectory: kind == .directory
                )
            }
        }
    }

    // MARK: Local changes

    /// A key has another name, or had: what was told of it goes along.
    func applyLocalMove(
        of key: String,
        in source: KeyNode,
        to newKey: String,
        in target: KeyNode,
        exchanges: Bool
    ) {
        let moved = source.snapshot?[key]
        let replaced = target.snapshot?[newKey]
        source.snapshot?[key] = exchanges ? replaced ?? .unknown : nil
        target.snapshot?[newKey] = moved ?? .unknown
    }

    /// Keeps what a local change has made of a key.
    func applyLocalChange(_ request: Request) {
        guard let path = request.changedPath, options.subtree.contains(path) else { return }
        let names = names(to: path)
        guard let last = names.last.map(String.init) else {
            switch request {
            case .write(_, let value): notifier.rootFingerprint?.set(value: value)
            case .setPermissions(_, let permissions):
                notifier.rootFingerprint?.set(permissions: permissions)
            default: break
            }
            return
        }
        let isRemoval = request.isRemoval
        var directory = keys.root
        for name in names.dropLast() {
            if !isRemoval { notifier.markExists(String(name), in: directory) }
            guard let child = keys.child(String(name), of: directory) else { return }
            directory = child
        }
        if !isRemoval { notifier.markExists(last, in: directory) }
        guard directory.snapshot != nil else { return }
        if isRemoval {
            directory.snapshot?[last] = nil
            return
        }
        var fingerprint = directory.snapshot?[last] ?? .unknown
        switch request {
        case .write(_, let value): fingerprint.set(value: value)
        case .makeDirectory where !fingerprint.isKnown: fingerprint.set(value: [])
        case .setPermissions(_, let permissions): fingerprint.set(permissions: permissions)
        default: break
        }
        directory.snapshot?[last] = fingerprint
    }
}
