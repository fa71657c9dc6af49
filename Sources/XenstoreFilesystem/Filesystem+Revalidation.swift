import XenstoreProtocol

/// Finding out what another client has changed: the event of a watch tells only where.
extension Filesystem {
    /// Whether the mount raises inotify's events for changes by others.
    var notifiesInotify: Bool { changes.isWatching && environment.inject != nil }

    /// Whether anybody can watch a directory: the kernel forgets no file that is watched.
    private func isWatchable(_ directory: KeyNode) -> Bool {
        directory.isRoot || directory.directoryLookups > 0 && !directory.isKnownByAgentOnly
    }

    /// Something at this path has changed.
    ///
    /// - Parameter names: the names from the mount's root on.
    func markDirty(_ path: XenstorePath, names: ArraySlice<Substring>) {
        guard notifiesInotify else { return }
        guard !names.isEmpty else { return markAllDirty() }
        let isOwn = notifier.localChanges.contains(path)
        var isAsked = false
        defer {
            if !isAsked {
                logInotify("event of \(path): the kernel knows no directory that could be watched")
            }
        }
        var directory = keys.root
        for (index, name) in names.enumerated() {
            let name = String(name)
            let child = keys.child(name, of: directory)
            let isLast = index == names.count - 1
            if isWatchable(directory) || child?.isHeld == true {
                if isLast {
                    isAsked = true
                    logInotify("event of \(path)\(isOwn ? ", our own" : ""): ask what has changed")
                    markDirty(name, in: directory, isCertain: !isOwn, isAboutShape: false)
                    if let child, !isOwn { markDirectoriesDirty(below: child) }
                } else if let known = directory.snapshot, known[name]?.isDirectory != true {
                    // It is new, or a file that has become a directory: no event tells of it.
                    isAsked = true
                    logInotify("event of \(path): ask whether \(name) above it is new")
                    markDirty(name, in: directory, isCertain: false, isAboutShape: true)
                }
            }
            guard let child else { break }
            directory = child
        }
        scheduleRevalidation()
    }

    private func markDirty(
        _ name: String,
        in directory: KeyNode,
        isCertain: Bool,
        isAboutShape: Bool
    ) {
        notifier.add(
            ChangeNotifier.DirtyEntry(
                directory: directory,
                name: name,
                isCertain: isCertain,
                isAboutShape: isAboutShape
            )
        )
    }

    /// Something was not told, as the key was seen since it was asked for.
    func markDirtyAgain(_ name: String, in directory: KeyNode) {
        guard notifiesInotify else { return }
        markDirty(name, in: directory, isCertain: false, isAboutShape: true)
        scheduleRevalidation()
    }

    /// A removal has one event for all that goes with it, and what was made again since looks the
    /// same.
    private func markDirectoriesDirty(below node: KeyNode) {
        guard node.directoryLookups > 0 else { return }
        for node in keys.subtree(of: node).dropFirst() where node.directoryLookups > 0 {
            guard let parent = node.parent else { continue }
            markDirty(node.name, in: parent, isCertain: false, isAboutShape: true)
        }
    }

    /// Anything may have changed.
    func markAllDirty() {
        guard notifiesInotify else { return }
        logInotify("anything may have changed: ask about all that the kernel knows")
        markDirty("", in: keys.root, isCertain: false, isAboutShape: true)
        for node in keys.subtree(of: keys.root) where isWatchable(node) {
            // What is above may not be known, as where this domain may not read it.
            if let parent = node.parent {
                markDirty(node.name, in: parent, isCertain: false, isAboutShape: true)
            }
            for name in node.snapshot?.childNames ?? [] {
                markDirty(name, in: node, isCertain: false, isAboutShape: true)
            }
        }
        scheduleRevalidation()
    }

    // MARK: Revalidation

    private func scheduleRevalidation() {
        // Without a connection nobody answers, and with the next one all is asked for.
        guard notifiesInotify, notifier.hasDirtyEntries, !notifier.isRevalidating else { return }
        notifier.isRevalidating = true
        let begin = { [self] in
            // When all events that have come are known.
            environment.later { [self] in
                environment.start { [self] in
                    if notifiesInotify { await revalidate(notifier.takeBatch()) }
                    notifier.isRevalidating = false
                    scheduleRevalidation()
                }
            }
        }
        // Changes of one key that gather are one question and one event.
        if eventRate.isHigh(at: environment.elapsed()), !notifier.hasBatch {
            environment.after(FilesystemLimits.coalescingDelay, begin)
        } else {
            begin()
        }
    }

    private func revalidate(_ entries: [ChangeNotifier.DirtyEntry]) async {
        // The events of these have come when the answers have, or with a store in this process
        // before the next batch.
        let localChanges = notifier.takeAnsweredLocalChanges()
        notifier.version = changes.version
        // What has lost its place is told with the directory above.
        let asked = entries.compactMap { entry in
            (try? path(of: entry)).map { (entry: entry, query: query(about: entry, at: $0)) }
        }
        let answerCount = notifier.localChanges.answerCount
        speculate(entries)
        defer { notifier.calls.cancelSpeculative() }
        let answers = await access.base.stat(asked.map(\.query))
        notifier.batchIsDone()
        notifier.localChanges.remove(localChanges)
        guard notifiesInotify else { return }
        for ((entry, query), answer) in zip(asked, answers) {
            guard !notifier.localChanges.hasAnswered(query.path, since: answerCount) else {
                // What the store has said may be of the time before, and what is known here is of
                // the time after, or of what a rename has put there.
                notifier.add(entry)
                continue
            }
            resolve(entry, query, answer)
        }
        sendCalls()
    }

    /// Sends the agent ahead where a change of content is likely: until its call is here, the store
    /// has answered. A call that is refused raises no event.
    private func speculate(_ entries: [ChangeNotifier.DirtyEntry]) {
        guard notifier.calls.isIdle, entries.count <= FilesystemLimits.speculativeCalls else {
            return
        }
        let likely = entries.filter { entry in
            let child = keys.child(entry.name, of: entry.directory)
            return entry.isCertain && !entry.isAboutShape
                && entry.directory.snapshot?[entry.name]?.isDirectory == false
                && child?.lookups(.file) ?? 0 > 0
        }
        guard !likely.isEmpty else { return }
        let calls = likely.map {
            PendingCall(speculating: $0.name, in: $0.directory, asOf: notifier.version)
        }
        for call in calls { _ = notifier.calls.add(call) }
        sendCalls(afterQuestion: true)
        // The kernel locks the file meanwhile. A store that is slow keeps nobody from it.
        environment.after(FilesystemLimits.speculation) {
            for call in calls { call.cancel() }
        }
    }

    private func query(
        about entry: ChangeNotifier.DirtyEntry,
        at path: XenstorePath
    ) -> StatQuery {
        isFile(entry) && !entry.isAboutShape
            ? StatQuery(childless: path, at: notifier.version)
            : StatQuery(path, at: notifier.version)
    }

    private func isFile(_ entry: ChangeNotifier.DirtyEntry) -> Bool {
        entry.directory.snapshot?[entry.name]?.isDirectory == false
    }

    private func path(of entry: ChangeNotifier.DirtyEntry) throws(FilesystemError) -> XenstorePath {
        entry.name.isEmpty
            ? try entry.directory.path() : try entry.directory.path(ofChild: entry.name)
    }

    private func resolve(
        _ entry: ChangeNotifier.DirtyEntry,
        _ query: StatQuery,
        _ answer: Result<KeyStat, XenstoreError>
    ) {
        let path = query.path
        guard let place = try? self.path(of: entry) else { return }
        guard place == path else {
            logInotify("\(path) was moved meanwhile: ask again")
            return notifier.add(entry)
        }
        guard query.asksForChildren || isFile(entry) else {
            logInotify("\(path) is no file any more: ask again, and for its children")
            return notifier.add(entry)
        }
        let stat: KeyStat?
        do throws(XenstoreError) {
            stat = try answer.get()
        } catch .refused(.noEntry) {
            stat = nil
        } catch {
            // Where the connection is lost, all is asked for again.
            logInotify("\(path): no event, as the store says \(error)")
            return
        }
        guard !notifier.localChanges.isInFlight(path) else {
            logInotify("\(path): a change of our own is on its way: ask again")
            return notifier.add(entry)
        }
        let node = entry.name.isEmpty ? keys.root : keys.child(entry.name, of: entry.directory)
        if let stat, let node { timestamps.learned(stat, of: node, at: path) }
        if entry.name.isEmpty {
            emitRootChanges(stat)
        } else {
            emitChanges(entry, stat)
        }
    }

    // MARK: Emitting

    private func emitRootChanges(_ stat: KeyStat?) {
        guard let stat else {
            for name in keys.root.snapshot?.childNames ?? [] {
                emitRemoval(of: name, in: keys.root)
            }
            return
        }
        let fingerprint = DirectorySnapshot.Fingerprint(stat, isDirectory: true)
        if let old = notifier.rootFingerprint {
            emitValueChange(of: keys.root, old, fingerprint, stat, isCertain: false)
            if old.differsInPermissions(from: fingerprint) {
                enqueue(.changeAttributes, "", in: keys.root, .directory, stat)
            }
        }
        notifier.rootFingerprint = fingerprint
        reconcile(keys.root, stat)
    }

    private func emitChanges(_ entry: ChangeNotifier.DirtyEntry, _ stat: KeyStat?) {
        let (directory, name) = (entry.directory, entry.name)
        let old = directory.snapshot?[name]
        guard let stat else {
            // A name that was made and removed since nobody has seen. Where nothing is known of the
            // directory, what this mount has removed itself has no node any more.
            let mayBeSeen =
                entry.isCertain || keys.child(name, of: directory)?.isHeld == true
            guard old != nil || directory.snapshot == nil && mayBeSeen else {
                return logInotify("\(name) is gone: no event, as nobody has seen it")
            }
            return emitRemoval(of: name, in: directory)
        }
        let kind = kind(stat, named: name, in: directory, old)
        let fingerprint = DirectorySnapshot.Fingerprint(stat, isDirectory: kind == .directory)
        directory.snapshot?[name] = fingerprint
        guard let old else {
            guard directory.snapshot == nil else {
                return emitCreation(of: name, in: directory, kind, stat)
            }
            // Nothing is known of the directory. Most changes are writes.
            if kind == .directory {
                if let node = keys.child(name, of: directory) { reconcile(node, stat) }
            } else if entry.isCertain {
                enqueue(.modify, name, in: directory, kind, stat)
            }
            return
        }
        guard old.isDirectory == nil || old.isDirectory == fingerprint.isDirectory else {
            emitRemoval(of: name, in: directory, reshaping: old.isDirectory)
            directory.snapshot?[name] = fingerprint
            return emitCreation(of: name, in: directory, kind, stat)
        }
        let differs = old.differsInPermissions(from: fingerprint)
        if !differs, !entry.isCertain, !old.differsInValue(from: fingerprint) {
            logInotify("\(name): no event for its own value and permissions, which are the same")
        }
        if kind == .directory {
            if let node = keys.child(name, of: directory) {
                emitValueChange(
                    of: node,
                    old,
                    fingerprint,
                    stat,
                    isCertain: entry.isCertain && !differs
                )
                reconcile(node, stat)
            }
        } else if old.differsInValue(from: fingerprint) || entry.isCertain && !differs {
            enqueue(.modify, name, in: directory, kind, stat)
        }
        if differs { enqueue(.changeAttributes, name, in: directory, kind, stat) }
    }

    /// Emits what has become of the own value of a directory.
    private func emitValueChange(
        of node: KeyNode,
        _ old: DirectorySnapshot.Fingerprint,
        _ new: DirectorySnapshot.Fingerprint,
        _ stat: KeyStat,
        isCertain: Bool
    ) {
        guard old.isKnown, isWatchable(node) else { return }
        let name = NameMeaning.ownValueName
        switch (old.hasNoValue, new.hasNoValue) {
        case (true, true): break
        case (false, true): enqueue(.remove, name, in: node, .file, stat)
        case (true, false):
            enqueue(.create, name, in: node, .file, stat)
            enqueue(.modify, name, in: node, .file, stat)
        case (false, false):
            guard isCertain || old.differsInValue(from: new) else { return }
            enqueue(.modify, name, in: node, .file, stat)
        }
    }

    /// Compares the children that a directory has with those that it had.
    private func reconcile(_ node: KeyNode, _ stat: KeyStat) {
        guard isWatchable(node) else { return }
        guard let known = node.snapshot else {
            // A program may watch the root without a question to us.
            if node.isRoot { environment.start { [self] in await cacheChildren(of: node) } }
            return
        }
        guard let names = stat.names else {
            // They were not asked for, or fit no message.
            guard stat.hasChildren else { return }
            return environment.start { [self] in await reconcileByParts(node) }
        }
        let present = Set(names.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
        for name in known.childNames where !present.contains(name) {
            emitRemoval(of: name, in: node)
        }
        for name in present where known[name] == nil {
            markDirty(name, in: node, isCertain: false, isAboutShape: true)
        }
    }

    /// Does so where the names fit no message. They may be out of date when all have come: each of
    /// which something else is known is asked for.
    private func reconcileByParts(_ node: KeyNode) async {
        guard let path = try? node.path(),
            // What fails is gone, which is told by itself, or the connection is lost.
            let names = try? await access.base.directoryByParts(path, in: .none),
            let known = node.snapshot, notifiesInotify
        else { return }
        for name in Set(names).symmetricDifference(known.childNames) {
            markDirty(name, in: node, isCertain: false, isAboutShape: true)
        }
        scheduleRevalidation()
    }

    private func emitCreation(
        of name: String,
        in directory: KeyNode,
        _ kind: FileKind,
        _ stat: KeyStat
    ) {
        enqueue(kind == .directory ? .makeDirectory : .create, name, in: directory, kind, stat)
        if kind == .file, !stat.value.isEmpty {
            enqueue(.modify, name, in: directory, kind, stat)
        }
    }

    /// Emits a removal, of what was below first.
    ///
    /// - Parameter wasDirectory: as what it is gone, where the key is there and shows otherwise.
    private func emitRemoval(
        of name: String,
        in directory: KeyNode,
        reshaping wasDirectory: Bool? = nil
    ) {
        let fingerprint = directory.snapshot?[name]
        directory.snapshot?[name] = nil
        let child = keys.child(name, of: directory)
        let wasShown = child.map { $0.reportedKind == .directory } ?? false
        let isDirectory = wasDirectory ?? fingerprint?.isDirectory ?? wasShown
        if isDirectory, let child {
            for name in child.snapshot?.childNames ?? [] {
                emitRemoval(of: name, in: child)
            }
        }
        let isSeen = notifier.hasSeen(name, in: directory)
        if wasDirectory == nil, !isSeen { dropMemory(of: name, in: directory) }
        let gone = KeyStat(empty: Permissions(owner: .privileged))
        enqueue(
            isDirectory ? .removeDirectory : .remove,
            name,
            in: directory,
            isDirectory ? .directory : .file,
            gone,
            isReshaping: wasDirectory != nil
        )
        if isSeen {
            // Before it went, or after.
            directory.snapshot?[name] = .unknown(isDirectory: isDirectory)
            markDirty(name, in: directory, isCertain: false, isAboutShape: true)
        }
        // What has lost its last child may be a file from now on.
        if let parent = directory.parent {
            markDirty(directory.name, in: parent, isCertain: false, isAboutShape: true)
        }
    }

    /// What a key was made as ends with it.
    private func dropMemory(of name: String, in directory: KeyNode) {
        if let node = keys.child(name, of: directory) { noteMissing(node) }
    }

    func kind(
        _ stat: KeyStat,
        named name: String,
        in directory: KeyNode,
        _ old: DirectorySnapshot.Fingerprint?
    ) -> FileKind {
        if let node = keys.child(name, of: directory) { return kind(stat, of: node) }
        if stat.hasChildren { return .directory }
        guard stat.value.isEmpty else { return .file }
        switch old?.isDirectory {
        case true: return .directory
        case false: return .file
        case nil:
            // This mount may have made it, and forgotten the rest.
            let path = try? directory.path(ofChild: name)
            guard let path else { return .file }
            return keys.rememberedKind(at: path) ?? options.emptyKeyKind.kind(of: path)
        }
    }

    // MARK: Calls

    private func enqueue(
        _ operation: InotifyCall.Operation,
        _ name: String,
        in directory: KeyNode,
        _ kind: FileKind,
        _ stat: KeyStat,
        isReshaping: Bool = false
    ) {
        guard isWatchable(directory) || keys.child(name, of: directory)?.isHeld == true else {
            return logInotify("\(operation) \(name): no event, as the kernel has forgotten it")
        }
        let isRemoval = operation == .remove || operation == .removeDirectory
        // A program may use what was made again.
        if isRemoval, notifier.hasSeen(name, in: directory) {
            return logInotify("\(operation) \(name): no event, as it was made again")
        }
        let size = kind == .file ? options.valueForm.size(of: stat.value) : 0
        let place = DentryKey(directory: directory.id, name: name)
        if operation == .modify, let call = notifier.calls.findSpeculative(place) {
            logInotify("\(operation) \(name): the agent is at it already")
            return call.confirm(stat.permissions, size: size)
        }
        let call = PendingCall(
            operation,
            name,
            in: directory,
            kind,
            stat.permissions,
            size: size,
            asOf: notifier.version
        )
        call.isReshaping = isReshaping
        logInotify("\(operation) \(name) in \((try? directory.path().text) ?? "?"): call the agent")
        if operation == .makeDirectory { call.childNames = stat.names }
        guard !notifier.calls.add(call), !notifier.hasLostCalls else { return }
        notifier.hasLostCalls = true
        environment.report(
            "more than \(FilesystemLimits.pendingCalls) changes wait to be told to inotify: "
                + "some are lost"
        )
    }
}
