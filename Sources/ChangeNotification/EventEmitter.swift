import Logging
import XenstoreProtocol

/// Which calls are due, by what inotify has raised events for and what the store says now.
final class EventEmitter<Tree: WatchedTree> {
    typealias Inode = Tree.Inode
    typealias Call = PendingCall<Tree>
    typealias Action = ChangeNotifier<Tree>.Action

    private unowned let tree: Tree
    private let log: Logger
    /// The keys that the store is still to be asked about.
    var dirty = DirtySet<Inode>()
    /// The calls that are due.
    var queue = InotifyQueue<Tree>()
    /// The value of the mount's root, as of the last events.
    var rootFingerprint: DirectorySnapshot.Fingerprint?
    private var hasLostCalls = false
    private var actions: [Action] = []
    /// Of the moment at which the last batch was asked about.
    private var batchVersion: Tree.Version?
    /// Keys that were seen since then.
    private var seen: Set<DentryKey> = []

    init(of tree: Tree, log: Logger) {
        self.tree = tree
        self.log = log
    }

    func append(_ action: Action) { actions.append(action) }

    func takeActions() -> [Action] {
        defer { actions = [] }
        return actions
    }

    /// The entries that the store is asked about now.
    func beginBatch(at version: Tree.Version) -> [DirtySet<Inode>.Entry] {
        seen = []
        batchVersion = version
        return dirty.takeBatch()
    }

    private var version: Tree.Version {
        guard let batchVersion else {
            preconditionFailure("an event is emitted without an answer of the store")
        }
        return batchVersion
    }

    /// A key is there. It must not be removed if it was made again.
    ///
    /// - Parameter isAsked: whether the store is asked about a batch, or is about to be.
    func exists(_ name: String, in directory: Inode, isAsked: Bool) {
        let place = DentryKey(directory: directory.number, name: name)
        if isAsked { seen.insert(place) }
        queue.markExists(place)
    }

    /// Whether a key was seen since the batch was sent.
    private func hasSeen(_ name: String, in directory: Inode) -> Bool {
        seen.contains(DentryKey(directory: directory.number, name: name))
    }

    /// The store is to be asked about a key.
    func markDirty(
        _ name: String,
        in directory: Inode,
        isCertain: Bool,
        isAboutShape: Bool
    ) {
        dirty.insert(
            DirtySet.Entry(
                directory: directory,
                name: name,
                isCertain: isCertain,
                isAboutShape: isAboutShape
            )
        )
    }

    /// Keys may have changed without an event.
    func markDirty(_ inodes: [Inode]) {
        log.debug("\(inodes.count) keys may have changed without an event: ask about them")
        for inode in inodes { markDirty(inode) }
    }

    private func markDirty(_ inode: Inode) {
        guard let parent = inode.parent else {
            // What has lost its place is in no directory.
            guard inode.isRoot else { return }
            return markDirty("", in: inode, isCertain: false, isAboutShape: true)
        }
        guard parent.isWatchable || inode.isHeld else { return }
        let isAboutShape = inode.isShownAsDirectory
        markDirty(inode.name, in: parent, isCertain: false, isAboutShape: isAboutShape)
    }

    /// Emits what has become of the mount's root.
    func emitRootChanges(_ stat: Tree.Stat?) {
        guard let stat else {
            for name in tree.root.watched.snapshot?.childNames ?? [] {
                emitRemoval(of: name, in: tree.root)
            }
            return
        }
        let fingerprint = DirectorySnapshot.Fingerprint(stat, isDirectory: true)
        if let old = rootFingerprint {
            emitValueChange(of: tree.root, old, fingerprint, stat, isCertain: false)
            if old.differsInPermissions(from: fingerprint) {
                enqueue(.changeAttributes, "", in: tree.root, isDirectory: true, stat)
            }
        }
        rootFingerprint = fingerprint
        reconcile(tree.root, stat)
    }

    /// Emits what has become of a key.
    ///
    /// - Parameter stat: what the store says of it now; nil where it is gone.
    func emitChanges(_ entry: DirtySet<Inode>.Entry, _ stat: Tree.Stat?) {
        let (directory, name) = (entry.directory, entry.name)
        let old = directory.watched.snapshot?[name]
        guard let stat else {
            // A name that was made and removed since nobody has seen. Where nothing is known of the
            // directory, what this mount has removed itself has no node any more.
            let mayBeSeen = entry.isCertain || tree.child(name, of: directory)?.isHeld == true
            guard old != nil || directory.watched.snapshot == nil && mayBeSeen else {
                return log.debug("\(name) is gone: no event, as nobody has seen it")
            }
            return emitRemoval(of: name, in: directory)
        }
        let isDirectory = tree.isDirectory(
            stat,
            named: name,
            in: directory,
            before: old?.isDirectory
        )
        let fingerprint = DirectorySnapshot.Fingerprint(stat, isDirectory: isDirectory)
        directory.watched.snapshot?[name] = fingerprint
        guard let old else {
            guard directory.watched.snapshot == nil else {
                return emitCreation(of: name, in: directory, isDirectory: isDirectory, stat)
            }
            // Nothing is known of the directory. Most changes are writes.
            if isDirectory {
                if let inode = tree.child(name, of: directory) { reconcile(inode, stat) }
            } else if entry.isCertain {
                enqueue(.modify, name, in: directory, isDirectory: false, stat)
            }
            return
        }
        guard old.isDirectory == nil || old.isDirectory == isDirectory else {
            emitRemoval(of: name, in: directory, reshaping: old.isDirectory)
            directory.watched.snapshot?[name] = fingerprint
            return emitCreation(of: name, in: directory, isDirectory: isDirectory, stat)
        }
        let differs = old.differsInPermissions(from: fingerprint)
        if !differs, !entry.isCertain, !old.differsInValue(from: fingerprint) {
            log.debug("\(name): no event for its own value and permissions, which are the same")
        }
        if isDirectory {
            if let inode = tree.child(name, of: directory) {
                let isCertain = entry.isCertain && !differs
                emitValueChange(of: inode, old, fingerprint, stat, isCertain: isCertain)
                reconcile(inode, stat)
            }
        } else if old.differsInValue(from: fingerprint) || entry.isCertain && !differs {
            enqueue(.modify, name, in: directory, isDirectory: false, stat)
        }
        if differs {
            enqueue(.changeAttributes, name, in: directory, isDirectory: isDirectory, stat)
        }
    }

    /// Emits what has become of the own value of a directory.
    private func emitValueChange(
        of inode: Inode,
        _ old: DirectorySnapshot.Fingerprint,
        _ new: DirectorySnapshot.Fingerprint,
        _ stat: Tree.Stat,
        isCertain: Bool
    ) {
        guard old.isKnown, inode.isWatchable else { return }
        func enqueue(_ operation: InotifyCall.Operation) {
            self.enqueue(operation, OwnValue.name, in: inode, isDirectory: false, stat)
        }
        switch (old.hasNoValue, new.hasNoValue) {
        case (true, true): break
        case (false, true): enqueue(.remove)
        case (true, false):
            enqueue(.create)
            enqueue(.modify)
        case (false, false):
            guard isCertain || old.differsInValue(from: new) else { return }
            enqueue(.modify)
        }
    }

    /// Compares the children that a directory has with those that it had.
    private func reconcile(_ inode: Inode, _ stat: Tree.Stat) {
        guard inode.isWatchable else { return }
        guard let known = inode.watched.snapshot else {
            if inode.isRoot { actions.append(.learnRoot) }
            return
        }
        guard let names = stat.names else {
            // They were not asked for, or fit no message.
            if stat.hasChildren { actions.append(.list(inode)) }
            return
        }
        let present = Set(names.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
        for name in known.childNames where !present.contains(name) {
            emitRemoval(of: name, in: inode)
        }
        for name in present where known[name] == nil {
            markDirty(name, in: inode, isCertain: false, isAboutShape: true)
        }
    }

    private func emitCreation(
        of name: String,
        in directory: Inode,
        isDirectory: Bool,
        _ stat: Tree.Stat
    ) {
        let operation: InotifyCall.Operation = isDirectory ? .makeDirectory : .create
        enqueue(operation, name, in: directory, isDirectory: isDirectory, stat)
        if !isDirectory, !stat.value.isEmpty {
            enqueue(.modify, name, in: directory, isDirectory: false, stat)
        }
    }

    /// Emits a removal, of what was below first.
    ///
    /// - Parameter wasDirectory: as what it is gone, where the key is there and shows otherwise.
    private func emitRemoval(
        of name: String,
        in directory: Inode,
        reshaping wasDirectory: Bool? = nil
    ) {
        let fingerprint = directory.watched.snapshot?[name]
        directory.watched.snapshot?[name] = nil
        let child = tree.child(name, of: directory)
        let wasShown = child?.isShownAsDirectory ?? false
        let isDirectory = wasDirectory ?? fingerprint?.isDirectory ?? wasShown
        if isDirectory, let child {
            for name in child.watched.snapshot?.childNames ?? [] {
                emitRemoval(of: name, in: child)
            }
        }
        let isSeen = hasSeen(name, in: directory)
        // What a key was made as ends with it.
        if wasDirectory == nil, !isSeen, let child { tree.removed(child) }
        enqueue(
            Call(
                isDirectory ? .removeDirectory : .remove,
                name,
                in: directory,
                isOfDirectory: isDirectory,
                Permissions(owner: .privileged),
                size: 0,
                isReshaping: wasDirectory != nil,
                asOf: version
            )
        )
        if isSeen {
            // Before it went, or after.
            directory.watched.snapshot?[name] = .unknown(isDirectory: isDirectory)
            markDirty(name, in: directory, isCertain: false, isAboutShape: true)
        }
        // What has lost its last child may be a file from now on.
        if let parent = directory.parent {
            markDirty(directory.name, in: parent, isCertain: false, isAboutShape: true)
        }
    }

    private func enqueue(
        _ operation: InotifyCall.Operation,
        _ name: String,
        in directory: Inode,
        isDirectory: Bool,
        _ stat: Tree.Stat
    ) {
        enqueue(
            Call(
                operation,
                name,
                in: directory,
                isOfDirectory: isDirectory,
                stat.permissions,
                size: isDirectory ? 0 : tree.size(of: stat),
                childNames: operation == .makeDirectory ? stat.names : nil,
                asOf: version
            )
        )
    }

    private func enqueue(_ call: Call) {
        let (operation, name, directory) = (call.operation, call.name, call.directory)
        guard directory.isWatchable || tree.child(name, of: directory)?.isHeld == true else {
            return log.debug("\(operation.name) \(name): no event, as the kernel has forgotten it")
        }
        // A program may use what was made again.
        if call.isRemoval, hasSeen(name, in: directory) {
            return log.debug("\(operation.name) \(name): no event, as it was made again")
        }
        if operation == .modify, let known = queue.findSpeculative(call.place) {
            log.debug("\(operation.name) \(name): the agent is at it already")
            return known.confirm(call.shown.permissions, size: call.shown.size)
        }
        log.debug(
            "\(operation.name) \(name) in \(tree.path(of: directory)?.text ?? "?"): call the agent"
        )
        guard !queue.add(call), !hasLostCalls else { return }
        hasLostCalls = true
        actions.append(.reportLoss)
    }
}
