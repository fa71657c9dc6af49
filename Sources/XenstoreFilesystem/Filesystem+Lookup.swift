import XenstoreProtocol

extension Filesystem {
    public func lookup(
        _ name: String,
        in directory: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> Entry {
        kernelCache.acknowledge(caller)
        kernelCache.retries.beginLookup(by: caller)
        defer { kernelCache.retries.endLookup() }
        do throws(FilesystemError) {
            return try await find(name, in: directory, by: caller)
        } catch {
            // What has no name is not opened, either.
            kernelCache.retries.endOpen(by: caller)
            throw error
        }
    }

    private func find(
        _ name: String,
        in directory: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> Entry {
        let parent = try findDirectory(directory)
        if let entry = scratchEntry(name, in: parent) { return entry }
        guard scratch.directory(of: parent) == nil else { throw .noEntry }
        switch NameMeaning(name) {
        case .key(let key): return try await lookup(key, of: parent, as: nil, by: caller)
        case .value(let key): return try await lookup(key, of: parent, as: .file, by: caller)
        case .children(let key):
            return try await lookup(key, of: parent, as: .directory, by: caller)
        case .ownValue:
            let path = try parent.path()
            let stat = try await reader.stat(of: path, node: parent)
            guard parent.createdBy != caller || !stat.value.isEmpty else { throw .noEntry }
            return enterValue(stat, of: parent, path)
        case .stream(let key): return try await lookupStream(key, of: parent)
        case .foreign, .reserved: throw .noEntry
        }
    }

    /// Looks a key up, in the shape that it has or in the one that its name asks for.
    private func lookup(
        _ key: String,
        of parent: KeyNode,
        as asked: FileKind?,
        by caller: CallerID
    ) async throws(FilesystemError) -> Entry {
        let path = try parent.path(ofChild: key)
        let stat: KeyStat
        do throws(FilesystemError) {
            stat = try await reader.statForOpening(path, keys.child(key, of: parent), by: caller)
        } catch .accessDenied where asked != .file {
            return enterUnreadable(key, of: parent)
        }
        let entry = enter(key, of: parent, as: asked, stat, path)
        // A stat(2) asks once more for the attributes that came with the name.
        reader.keep(reader.fresh(stat), of: entry.attributes.inode, for: caller, by: nil)
        if entry.attributes.kind == .directory, let node = keys.find(entry.attributes.inode)?.node {
            await prepareForWatch(node, by: caller)
        }
        return entry
    }

    /// Makes the entry of a key that the store does not let this domain read. Below it there may be
    /// others that it does: a guest's own directory lies so. It is a directory to walk through,
    /// and asked for each time, as no watch tells of it.
    private func enterUnreadable(_ key: String, of parent: KeyNode) -> Entry {
        let node = keys.insertChild(key, of: parent)
        node.reportedKind = .directory
        node.addLookup(.directory)
        return Entry(attributes: attributesOfUnreadable(node), nameLifetime: 0)
    }

    /// Makes the entry of a key that was just asked for, with a reference for the kernel.
    func enter(
        _ key: String,
        of parent: KeyNode,
        as asked: FileKind?,
        _ stat: KeyStat,
        _ path: XenstorePath
    ) -> Entry {
        // Only now does the key enter the table: nothing was awaited since it was seen.
        let known = keys.child(key, of: parent)
        let node = known ?? keys.addChild(key, of: parent)
        if known == nil { timestamps.met(node, at: path) }
        learned(stat, of: node, at: path)
        let kind = keys.kind(stat, of: node)
        if asked == nil { node.reportedKind = kind }
        var entry = entry(node, asked ?? kind, stat, path)
        recordBaseline(stat, kind, of: node, path)
        // Not kept: the key may be renamed, and only its plain name moves along.
        if asked != nil { entry.nameLifetime = 0 }
        return entry
    }

    /// Makes the entry of a key of which a listing told the type alone.
    func enterListed(
        _ key: String,
        of parent: KeyNode,
        as kind: FileKind,
        hasChildren: Bool,
        names: [UInt8]?,
        _ path: XenstorePath,
        asOf version: ChangeLog.Version
    ) -> Entry {
        let known = keys.child(key, of: parent)
        let node = known ?? keys.addChild(key, of: parent)
        // It may have a value: whoever depends on that asks.
        if known?.isHeld != true { node.hasValue = true }
        if known == nil { timestamps.met(node, at: path) }
        if hasChildren { node.emptyKind = .directory }
        markExists(node)
        if changes.mayKeep(path, asOf: version) {
            timestamps.learnedNames(names, of: node, at: path, asOf: version)
            node.hasChildren = hasChildren
        }
        node.reportedKind = kind
        node.addLookup(kind)
        return Entry(
            attributes: typeAlone(of: node, kind),
            nameLifetime: kernelCache.nameLifetime(path, asOf: version)
        )
    }

    /// Makes the entry of a directory's own value.
    func enterValue(
        _ stat: KeyStat,
        of node: KeyNode,
        _ path: XenstorePath
    ) -> Entry {
        // Not kept: whether the name is there depends on the value.
        var entry = entry(node, .file, stat, path)
        entry.nameLifetime = 0
        return entry
    }

    private func entry(
        _ node: KeyNode,
        _ kind: FileKind,
        _ stat: KeyStat,
        _ path: XenstorePath
    ) -> Entry {
        node.addLookup(kind)
        let attributes = attributes(of: node, kind, stat)
        // The kernel takes the size from here.
        if kind == .file { kernelCache.revoke(node, unlessOfSize: attributes.size) }
        return Entry(
            attributes: attributes,
            nameLifetime: kernelCache.nameLifetime(path, asOf: stat.version)
        )
    }

    /// The error for a key that the kernel knows and that is gone, says the store: the kernel looks
    /// the name up again for the next system call.
    func gone(_ node: KeyNode) -> FilesystemError {
        if !node.isStaleInKernel {
            node.isStaleInKernel = true
            kernelCache.invalidateEntry(of: node, .removed)
        }
        return .noEntry
    }

    /// The error for a key that has lost its place. Where it was removed by another of its names,
    /// the kernel has the plain one still, and that may lead to another key by now.
    func unlinked(_ node: KeyNode) -> FilesystemError {
        guard !node.isStaleInKernel else { return .noEntry }
        node.isStaleInKernel = true
        return .stale
    }
}
