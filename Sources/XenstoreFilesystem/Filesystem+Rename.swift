import ChangeNotification
import XenstoreProtocol

extension Filesystem {
    public func rename(
        _ name: String,
        in directory: InodeNumber,
        to newName: String,
        in newDirectory: InodeNumber,
        _ mode: RenameMode,
        by _: CallerID
    ) async throws(FilesystemError) {
        try requireWritable()
        let (source, target) = (try findDirectory(directory), try findDirectory(newDirectory))
        if let file = scratch.find(name, in: source) {
            return try await rename(file, to: newName, in: target, mode)
        }
        // A key that became a scratch file would be gone from the store, and soon for good.
        guard scratch.directory(of: source) == nil, scratch.directory(of: target) == nil,
            case .key(let key) = NameMeaning(name),
            case .key(let newKey) = NameMeaning(newName)
        else { throw .notPermitted }
        let path = try source.path(ofChild: key)
        let newPath = try target.path(ofChild: newKey)
        guard path != newPath else { return }
        guard !path.contains(newPath), !newPath.contains(path) else {
            throw path.contains(newPath) ? .invalid : .notEmpty
        }
        if mode == .replace { try requireNoScratch(in: keys.child(newKey, of: target)) }
        if let file = scratch.find(newName, in: target) {
            guard mode == .replace else { throw mode == .keep ? .exists : .notPermitted }
            unlinkScratch(file, in: target)
        }
        if let node = keys.child(key, of: source) { try await commitDeferredCreate(node) }
        let kind = keys.child(key, of: source)?.reportedKind
        var names: (taken: String?, given: String?)
        switch mode {
        case .replace, .keep:
            let replaced = try await move(path, to: newPath, under: target, kind: kind, mode)
            if let replaced, let node = keys.child(newKey, of: target) {
                keepContent(replaced, of: node)
            }
            moveNode(key, of: source, to: newKey, of: target)
            names = (key, replaced == nil ? newKey : nil)
        case .exchange:
            try await exchange(path, newPath)
            exchangeNodes(key, of: source, newKey, of: target)
        }
        noteChildTaken(from: source, named: names.taken)
        noteChild(of: target, named: names.given)
    }

    /// Renames a scratch file: to another, or to a key, which takes its content.
    private func rename(
        _ file: ScratchFile,
        to newName: String,
        in target: KeyNode,
        _ mode: RenameMode
    ) async throws(FilesystemError) {
        if scratch.find(newName, in: target) != nil || scratch.directory(of: target) != nil {
            return try renameScratch(file, to: newName, in: target, mode)
        }
        switch NameMeaning(newName) {
        case .key(let key), .value(let key):
            try await renameScratch(file, toKey: key, of: target, mode)
        case .ownValue: try await renameScratch(file, toKey: nil, of: target, mode)
        case .foreign: try renameScratch(file, to: newName, in: target, mode)
        case .children, .stream, .reserved: throw .notPermitted
        }
    }

    // MARK: In the store

    /// - Returns: the value of the key that was there, if there was one.
    private func move(
        _ path: XenstorePath,
        to newPath: XenstorePath,
        under target: KeyNode,
        kind: FileKind?,
        _ mode: RenameMode
    ) async throws(FilesystemError) -> [UInt8]? {
        let targetParent = try target.path()
        return try await writer.transaction(at: newPath) {
            id async throws(XenstoreError) -> Outcome<[UInt8]?> in
            var replaced: [UInt8]?
            // The directory that is moved into must still be there: a write would make it anew.
            let answers = await writer.access.send(
                [.read(targetParent), .read(newPath), .directory(newPath)],
                in: id
            )
            _ = try answers[0].get()
            let tree = try await KeyTree(reading: path, from: writer.access, in: id)
            switch answers[1] {
            case .failure(.refused(.noEntry)): break
            case .failure(let error): throw error
            case .success(let value):
                guard mode == .replace else { return .fail(.exists) }
                if let error = obstacle(value, answers[2], kind: kind, tree) {
                    return .fail(error)
                }
                try await writer.access.remove(newPath, in: id)
                replaced = value
            }
            try await tree.write(to: newPath, of: writer.access, in: id)
            try await writer.access.remove(path, in: id)
            return .commit(replaced)
        }
    }

    /// What forbids to replace a key: its children; and where a directory is moved, its value.
    private func obstacle(
        _ value: [UInt8],
        _ children: Result<[UInt8], XenstoreError>,
        kind: FileKind?,
        _ tree: KeyTree
    ) -> FilesystemError? {
        switch children {
        case .success(let names) where names.isEmpty: break
        case .success, .failure(.refused(.tooBig)):
            return kind == .directory || tree.hasChildren ? .notEmpty : .isDirectory
        case .failure(let error): return FilesystemError(error)
        }
        return kind == .directory && !value.isEmpty ? .notDirectory : nil
    }

    private func exchange(
        _ first: XenstorePath,
        _ second: XenstorePath
    ) async throws(FilesystemError) {
        try await writer.transaction(at: first) { id async throws(XenstoreError) -> Outcome<Void> in
            let firstTree = try await KeyTree(reading: first, from: writer.access, in: id)
            let secondTree = try await KeyTree(reading: second, from: writer.access, in: id)
            try await writer.access.remove(first, in: id)
            try await writer.access.remove(second, in: id)
            try await firstTree.write(to: second, of: writer.access, in: id)
            try await secondTree.write(to: first, of: writer.access, in: id)
            return .commit(())
        }
    }

    // MARK: In the table

    private func moveNode(
        _ key: String,
        of source: KeyNode,
        to newKey: String,
        of target: KeyNode
    ) {
        if let node = keys.child(key, of: source) { keepKinds(below: node) }
        notifier.localMove(of: key, in: source, to: newKey, in: target, exchanges: false)
        if let replaced = keys.child(newKey, of: target) { keys.unlink(replaced) }
        guard let node = keys.child(key, of: source) else { return }
        keys.move(node, to: target, name: newKey)
        noteMoved(node, from: key, in: source)
    }

    private func exchangeNodes(
        _ firstKey: String,
        of firstParent: KeyNode,
        _ secondKey: String,
        of secondParent: KeyNode
    ) {
        notifier.localMove(
            of: firstKey,
            in: firstParent,
            to: secondKey,
            in: secondParent,
            exchanges: true
        )
        let first = keys.child(firstKey, of: firstParent)
        let second = keys.child(secondKey, of: secondParent)
        if let first { keepKinds(below: first) }
        if let second { keepKinds(below: second) }
        if let first { keys.removeDentry(first) }
        if let second {
            keys.move(second, to: firstParent, name: firstKey)
            noteMoved(second, from: secondKey, in: secondParent)
        }
        if let first {
            keys.move(first, to: secondParent, name: secondKey)
            noteMoved(first, from: firstKey, in: firstParent)
        }
    }

    /// A key has another name.
    private func noteMoved(_ node: KeyNode, from oldName: String, in oldParent: KeyNode) {
        // The kernel has a directory under one name, and fails to give it that of another place
        // with ESTALE where that is asked for by a renaming. The plain name goes along.
        if node.directoryLookups > 0, node.reportedKind != .directory {
            let name = NameMeaning.childrenName(of: oldName)
            kernelCache.invalidateEntry(name, in: oldParent, .renamed)
        }
        dropStatBelow(node)
        markExists(node)
        timestamps.changedStatus(of: node)
        // The events of the renaming come before its answer. They may have had the kernel forget
        // the name that the key had then.
        if node.reportedKind == nil, node.fileLookups > 0 {
            kernelCache.invalidateEntry(of: node, .renamed)
        }
    }

    /// What is known below a key stays what it is at another place, whatever is usual there.
    private func keepKinds(below node: KeyNode) {
        for node in keys.subtree(of: node) where node.emptyKind == nil {
            node.emptyKind = node.reportedKind
        }
    }

    private func dropStatBelow(_ node: KeyNode) {
        for node in keys.subtree(of: node) {
            node.dropStat()
            kernelCache.revoke(node)
        }
    }
}
