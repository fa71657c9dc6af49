import ChangeNotification
public import XenstoreProtocol

/// The door for what the store tells.
extension Filesystem {
    /// Takes the event of a watch: something at `path` may have changed, or below it all may be
    /// gone.
    ///
    /// Who hears of it hears in this order. What was asked before is out of date first, so that
    /// nothing of it is kept. The kernel drops what it keeps before anybody is woken: a program
    /// that reads a line of a stream, or that inotify wakes, looks at once and is to see what is
    /// new. inotify is last, as it waits for the store to say what has changed.
    public func changed(_ path: XenstorePath) {
        let isFirst = watches.takeFirst(path)
        guard path.isAbsolute else { return isFirst ? () : changedSpecial(path) }
        changes.append(path, at: environment.now())
        noteEventRate()
        let isForeseen = timestamps.takeForeseen(path)
        if let place = keys.place(of: path) {
            reshape(place)
            kernelCache.revoke(place, andBelow: true, .changed)
            noteTimes(of: place, isForeseen: isForeseen)
            dropStats(place)
            verify(place, isForeseen: isForeseen)
            perform(notifier.changed(path, place.names))
        }
        if !isFirst { tellStreamsWhenTrue(path) }
    }

    /// Lets events gather where many come: to be woken for each costs more than to take it. What
    /// has arrived is still taken before anything is told from memory, and with each question to
    /// the store.
    private func noteEventRate() {
        let now = environment.elapsed()
        notifier.noteEvent(at: now)
        let isWaitedFor = options.cache == .watch || streams.isAnyOpen
        if !isWaitedFor, notifier.isSteady(at: now) {
            environment.deferReading(FilesystemLimits.readDeferral)
        }
    }

    /// Directories on the way may be files from now on, and files directories.
    private func reshape(_ place: KeyPlace) {
        for (index, node) in place.directories.enumerated() {
            let isDirectlyBelow = index == place.names.count - 1
            // What is further down may have made the child anew, which has no event of its own.
            let isOther = node.reportedKind == .file || node.hasChildren == false
            guard
                isDirectlyBelow || isOther || index == place.directories.count - 1 && !place.isKnown
            else { continue }
            node.hasChildren = nil
            guard !node.isRoot else { continue }
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
    }

    /// The times that the change moves: those of the directory that has the key, or of one above
    /// that may have been made with it, and those of the key.
    private func noteTimes(of place: KeyPlace, isForeseen: Bool) {
        guard !isForeseen else { return }
        for (index, directory) in place.directories.enumerated() {
            guard let child = place.child(after: index) else {
                timestamps.listEvent(of: directory, child: false)
                continue
            }
            guard index == place.names.count - 1 || child.permissions == nil else { continue }
            if timestamps.listEvent(of: directory, child: !child.isGone) {
                directory.hasChildren = nil
            }
        }
        if let key = place.key { timestamps.event(of: key) }
    }

    /// The store is to be asked for the key, and for all below it: it may be new, or gone.
    private func dropStats(_ place: KeyPlace) {
        guard let key = place.key else { return }
        for node in keys.subtree(of: key) { node.dropStat() }
    }

    /// The key may be gone, or have the other shape.
    private func verify(_ place: KeyPlace, isForeseen: Bool) {
        guard let key = place.key else { return }
        if key.reportedKind == .directory {
            verify(key)
        } else if key.fileLookups > 0, !notifier.isActive, !isForeseen {
            // The kernel would refuse to walk on through a file. Where inotify's events are raised,
            // that is found out anyway. What this mount removes the kernel knows.
            kernelCache.invalidateEntry(of: key, .changed)
        }
    }

    /// Tells the streams of a change when a program that reads then sees it.
    func tellStreamsWhenTrue(_ path: XenstorePath) {
        guard streams.isAnyOpen else { return streams.changed(path) }
        kernelCache.afterInvalidations { [self] in streams.changed(path) }
    }

    // MARK: Shapes

    /// Asks whether a key still is the directory that the kernel holds it for, and makes the kernel
    /// look again if not. A directory that still is one must not be dropped: it may be somebody's
    /// working directory.
    private func verify(_ node: KeyNode) {
        guard isVerifiable(node) else { return }
        node.isVerifying = true
        environment.start { [self] in await verifyNow(node) }
    }

    /// Verifies directories one after the other: there may be many, and programs come first.
    func verifyInTurn(_ directories: [KeyNode]) {
        // Of the root nothing is to be found out.
        guard directories.contains(where: { !$0.isRoot }) else { return }
        environment.start { [self] in
            for node in directories where isVerifiable(node) {
                node.isVerifying = true
                await verifyNow(node)
            }
        }
    }

    private func isVerifiable(_ node: KeyNode) -> Bool {
        node.directoryLookups > 0 && !node.isRoot && !node.isVerifying
    }

    private func verifyNow(_ node: KeyNode) async {
        defer { node.isVerifying = false }
        while let path = try? node.path() {
            let version = changes.version
            // An error of the way to the store is told to whoever uses the key next.
            let stat = try? await reader.stat(of: path, node: node)
            // A change while the answer was on its way: it may be out of date.
            if changes.isWatching, changes.hasChanged(path, since: version) { continue }
            guard let stat, node.reportedKind == .directory else { return }
            let actual = keys.kind(stat, of: node)
            if actual != .directory {
                node.reportedKind = actual
                kernelCache.invalidateEntry(of: node, .otherShape)
            }
            return
        }
    }
}
