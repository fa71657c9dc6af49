public import XenstoreProtocol

extension Filesystem {
    /// The token of the watch that keeps names, shapes and permissions true.
    public var watchToken: [UInt8] { Array("xsfs".utf8) }

    /// A connection is there: sets the watch and forgets all that was known without it.
    public func connected() async {
        changes.isWatching = false
        firstEvents = [options.subtree]
        do throws(XenstoreError) {
            _ = try await access.send(.watch(options.subtree, token: watchToken), in: .none)
            changes.isWatching = true
        } catch {
            // Without it nothing is kept, and every name is asked for.
            environment.report("the store refused a watch of \(options.subtree): \(error)")
        }
        dropEverything()
        await watchSpecialPathsAgain()
        tellStreamsOfMissing()
    }

    /// The connection is lost: nothing is known until it is back.
    public func disconnected() {
        changes.isWatching = false
        notifier.disconnected()
        timestamps.disconnected()
        // No event will take it back.
        for node in keys.subtree(of: keys.root) { kernelCache.revoke(node) }
    }

    /// Nothing that was known holds. The kernel looks files up again; directories are asked for, as
    /// one that still is one may be somebody's working directory.
    private func dropEverything() {
        changes.append(.root)
        markAllDirty()
        var shownDirectories: [KeyNode] = []
        for node in keys.subtree(of: keys.root) {
            node.dropStat()
            kernelCache.revoke(node)
            if node.reportedKind == .directory {
                shownDirectories.append(node)
            } else if node.fileLookups > 0 {
                kernelCache.invalidateEntry(of: node, .reconnected)
            }
        }
        guard shownDirectories.count > 1 else { return }
        environment.start { [self] in
            // One after the other: there may be many, and programs come first.
            for node in shownDirectories where isVerifiable(node) {
                node.isVerifying = true
                await verifyNow(node)
            }
        }
    }

    /// Takes the event of a watch: something at `path` may have changed, or below it all may be
    /// gone.
    public func changed(_ path: XenstorePath) {
        guard path.isAbsolute else { return tellStreams(path) }
        changes.append(path, at: environment.now())
        noteEventRate()
        let isForeseen = timestamps.takeForeseen(path)
        defer { tellWhenTrue(path) }
        var node = keys.root
        // What is above may have taken the whole subtree with it.
        let isInside = options.subtree.contains(path)
        guard isInside || path.contains(options.subtree) else { return }
        let names = isInside ? names(to: path) : []
        var rest = names
        defer { markDirty(path, names: names) }
        while let name = rest.first, let child = keys.child(String(name), of: node) {
            // What is further down may have made the child anew, which has no event of its own.
            if rest.count == 1 || node.reportedKind == .file || node.hasChildren == false {
                passChange(below: node, isDirectlyBelow: rest.count == 1)
            }
            if !isForeseen, rest.count == 1 || child.permissions == nil {
                if timestamps.listEvent(of: node, child: !child.isGone) { node.hasChildren = nil }
            }
            kernelCache.revokeListing(of: node, before: child, isAbove: rest.count > 1)
            node = child
            rest = rest.dropFirst()
        }
        guard rest.isEmpty else {
            // It has a child that is not known here.
            kernelCache.revoke(node)
            if !isForeseen { timestamps.listEvent(of: node, child: false) }
            return passChange(below: node, isDirectlyBelow: rest.count == 1)
        }
        // It may be new, or gone.
        if let parent = node.parent { kernelCache.revoke(parent) }
        if !isForeseen { timestamps.event(of: node) }
        dropStatBelow(node)
        if node.reportedKind == .directory {
            verify(node)
        } else if node.fileLookups > 0, !notifiesInotify, !isForeseen {
            // It may be gone, and the kernel would refuse to walk on through a file. Where
            // inotify's events are raised, that is found out anyway. What this mount removes the
            // kernel knows.
            kernelCache.invalidateEntry(of: node, .changed)
        }
    }

    /// Lets events gather where many come: to be woken for each costs more than to take it. What
    /// has arrived is still taken before anything is told from memory, and with each question to
    /// the store.
    private func noteEventRate() {
        let now = environment.elapsed()
        eventRate.noteEvent(at: now)
        let isWaitedFor = options.cache == .watch || !streams.open.isEmpty
        if !isWaitedFor, eventRate.isSteady(at: now) {
            environment.deferReading(FilesystemLimits.readDeferral)
        }
    }

    /// Tells the streams of a change when whoever reads then sees it.
    private func tellWhenTrue(_ path: XenstorePath) {
        guard !streams.open.isEmpty else { return tellStreams(path) }
        kernelCache.afterInvalidations { [self] in tellStreams(path) }
    }

    /// Something changed below a key: it has children now, or has lost its last one.
    private func passChange(below node: KeyNode, isDirectlyBelow: Bool) {
        node.hasChildren = nil
        guard !node.isRoot else { return }
        if node.reportedKind == .file {
            // The kernel would refuse to walk through a file without asking.
            node.reportedKind = nil
            if node.fileLookups > 0 { kernelCache.invalidateEntry(of: node, .otherShape) }
        } else if isDirectlyBelow, node.hasValue {
            // Only a key with a value can turn into a file by losing its children.
            if let parent = node.parent { kernelCache.revoke(parent) }
            verify(node)
        }
    }

    /// Asks whether a key still is the directory that the kernel holds it for, and makes the kernel
    /// look again if not. A directory that still is one must not be dropped: it may be somebody's
    /// working directory.
    private func verify(_ node: KeyNode) {
        guard isVerifiable(node) else { return }
        node.isVerifying = true
        environment.start { [self] in await verifyNow(node) }
    }

    private func isVerifiable(_ node: KeyNode) -> Bool {
        node.directoryLookups > 0 && !node.isRoot && !node.isVerifying
    }

    private func verifyNow(_ node: KeyNode) async {
        defer { node.isVerifying = false }
        while let path = try? node.path() {
            let version = changes.version
            // An error of the way to the store is told to whoever uses the key next.
            let stat = try? await stat(of: path, node: node)
            // A change while the answer was on its way: it may be out of date.
            if changes.isWatching, changes.hasChanged(path, since: version) { continue }
            guard let stat, node.reportedKind == .directory else { return }
            let actual = kind(stat, of: node)
            if actual != .directory {
                node.reportedKind = actual
                kernelCache.invalidateEntry(of: node, .otherShape)
            }
            return
        }
    }

    // MARK: Local changes

    /// A transaction of this mount has changed a key. The store may tell of that later.
    ///
    /// - Parameter isValue: whether its value may be another.
    func noteCommitted(_ path: XenstorePath, andBelow isSubtree: Bool, isValue: Bool) {
        guard keys.shows(path) else { return }
        changes.append(path)
        if isValue, let parent = path.parent, let directory = keys.find(parent) {
            timestamps.listEvent(of: directory, child: false)
        }
        timestamps.committed(path, isValue: isValue)
        var node = keys.root
        var rest = names(to: path)
        while let name = rest.popFirst() {
            node.hasChildren = nil
            guard let child = keys.child(String(name), of: node) else { break }
            node = child
            guard rest.isEmpty else { continue }
            for node in isSubtree ? keys.subtree(of: node) : [node] { node.dropStat() }
            if isSubtree { keys.dropMemory(below: node) }
        }
        kernelCache.revoke(at: path, andBelow: isSubtree)
    }
}
