import XenstoreProtocol

/// The answers to the poker, from memory: it tells what has happened already.
extension Filesystem {
    public func lookupForPoker(
        _ name: String,
        in directory: InodeNumber
    ) async throws(FilesystemError) -> Entry {
        let parent = try findDirectory(directory)
        if let poke = announcer.pokes.find(name, in: parent) {
            // For any other error the kernel would drop the name.
            guard await poke.hasHappened(), await !wouldDetach(poke) else { throw .interrupted }
            switch poke.kind {
            case .create, .makeDirectory:
                guard let entry = try entryOfOther(poke) else { throw .noEntry }
                return entry
            case .remove where poke.isMadeAgain, .removeDirectory where poke.isMadeAgain:
                // The kernel keeps the name that is in use, and with it a size that is not known
                // here.
                let shownView = keys.child(name, of: parent)?.shownView
                guard shownView == .directory else {
                    leave(poke)
                    throw .interrupted
                }
                return entry(of: poke, as: shownView)
            case .modify, .changeAttributes, .remove: return entry(of: poke)
            case .removeDirectory:
                poke.isLookedUp = true
                return entry(of: poke)
            }
        }
        // On the way to the directory that the poke is in.
        guard let node = keys.child(name, of: parent) else { throw .noEntry }
        node.addLookupOfPoker(.directory)
        let permissions = node.permissions ?? Permissions(owner: .privileged)
        return Entry(
            attributes: attributes(of: node, .directory, permissions, size: 0),
            nameLifetime: 0
        )
    }

    public func createForPoker(
        _ name: String,
        in directory: InodeNumber
    ) throws(FilesystemError) -> Entry {
        let parent = try findDirectory(directory)
        guard let poke = announcer.pokes.find(name, in: parent) else { throw .exists }
        poke.isDone = true
        // A program that has seen it before knows its times.
        let isNew = keys.child(name, of: parent) == nil
        let entry = entry(of: poke)
        guard !poke.isOwnValue, let node = keys.child(name, of: parent) else { return entry }
        if isNew { noteMet(node, at: environment.now()) }
        node.shownView = poke.view
        if node.announced == nil { node.announced = poke.childNames.map(ChildRecords.init) }
        return entry
    }

    public func removeForPoker(
        _ name: String,
        in directory: InodeNumber
    ) async throws(FilesystemError) {
        let parent = try findDirectory(directory)
        // For ENOENT the kernel would drop the name from under whoever uses it.
        guard let poke = announcer.pokes.find(name, in: parent) else { throw .busy }
        guard !isRefused(poke) else { throw .busy }
        if poke.kind == .removeDirectory {
            // The kernel looks the name up then, and again for each program from now on.
            guard poke.isLookedUp else { throw .stale }
            guard await isStillGone(poke) else {
                leave(poke)
                throw .busy
            }
        }
        guard !isRefused(poke) else { throw .busy }
        poke.isDone = true
        guard !poke.isOwnValue, let node = keys.child(name, of: parent) else { return }
        // Who has a file open writes to the key of that name, as without a poke. The kernel lets
        // nothing be done again in the directory that it knew.
        let isNeeded = poke.isReshaping || node.childCount > 0 || isOpen(node)
        guard isNeeded else { return keys.detach(node) }
        if poke.view == .directory { renew(node) }
    }

    /// The entry of a key that is to be told as made, and that shows otherwise by now. It may be in
    /// use: its name stays.
    ///
    /// - Throws: ``FilesystemError/interrupted`` for a file, of which the size is not known here.
    private func entryOfOther(_ poke: PendingPoke) throws(FilesystemError) -> Entry? {
        guard !poke.isOwnValue, let node = keys.child(poke.name, of: poke.directory),
            let view = node.shownView, view != poke.view, node.lookups(view) > 0
        else { return nil }
        poke.isDone = true
        guard view == .directory else { throw .interrupted }
        node.addLookupOfPoker(view)
        return Entry(
            attributes: attributes(of: node, view, poke.permissions, size: 0),
            nameLifetime: 0
        )
    }

    /// Whether somebody has mounted something on what a poke makes, or in it. That another name
    /// comes for a moment, or none, would detach it: inotify does not show it.
    private func wouldDetach(_ poke: PendingPoke) async -> Bool {
        guard let node = knownOtherwise(poke), let path = pathOnMount(of: poke) else {
            return false
        }
        if node.directoryLookups > 0, !node.isOfPokerAlone { await waitForQuiet() }
        guard environment.holdsMount(path) else { return false }
        poke.isDone = true
        return true
    }

    /// Waits until no program is on its way along a path, or was a moment ago.
    private func waitForQuiet() async {
        for _ in 0..<FilesystemLimits.quietTimes {
            let before = lookups
            await withCheckedContinuation { continuation in
                environment.after(FilesystemLimits.quietTime) { continuation.resume() }
            }
            if before == lookups, lookups.begun == lookups.ended { return }
        }
    }

    /// The key of a poke, where the kernel knows it as something else than what the poker is told.
    private func knownOtherwise(_ poke: PendingPoke) -> KeyNode? {
        guard !poke.isOwnValue, let node = keys.child(poke.name, of: poke.directory),
            node.lookups(.file) > 0 || node.lookups(.directory) > 0
        else { return nil }
        let isOther =
            switch poke.kind {
            case .create, .makeDirectory: true
            case .remove: node.shownView == .directory
            case .removeDirectory: node.shownView == .file
            case .modify, .changeAttributes: false
            }
        return isOther ? node : nil
    }

    /// A key that was made again since its removal was found may be in use: a program's working
    /// directory. Its removal is not told.
    private func isRefused(_ poke: PendingPoke) -> Bool {
        guard poke.isRemoval, !poke.isOwnValue else { return false }
        guard poke.isMadeAgain || isBeingMade(poke) else { return false }
        leave(poke)
        return true
    }

    /// A removal is not told now. Where the key is gone after all, it is told later.
    private func leave(_ poke: PendingPoke) {
        guard !poke.isDone else { return }
        logInotify("\(poke.kind) \(poke.name): not now, as the key is there again")
        poke.isDone = true
        if poke.directory.announced?[poke.name] == nil {
            poke.directory.announced?[poke.name] = .unknown(isDirectory: poke.view == .directory)
        }
        doubtAgain(poke.name, in: poke.directory)
    }

    /// Whether a directory is none at this moment.
    ///
    /// The kernel says ENOENT to all who are in a directory that was removed, without asking. That
    /// is true of those who were on their way before this question was asked; whoever comes later
    /// looks the name up, and finds what is there then.
    private func isStillGone(_ poke: PendingPoke) async -> Bool {
        guard let path = try? poke.directory.path(ofChild: poke.name) else { return false }
        poke.askAgain()
        environment.start { [self] in
            let requests = FactsQuery(path, known: nil).requests
            let answers = await access.base.send(requests, in: .none)
            poke.settle(isGone(poke, path, answers))
        }
        // The kernel has the directory and the one above it locked meanwhile.
        environment.after(FilesystemLimits.removalQuestion) { poke.deny() }
        return await poke.hasHappened()
    }

    private func isGone(
        _ poke: PendingPoke,
        _ path: XenstorePath,
        _ answers: [Result<[UInt8], XenstoreError>]
    ) -> Bool {
        do throws(XenstoreError) {
            let facts = try FactsQuery(path, known: nil).facts(answers[...])
            guard poke.isReshaping, let node = keys.child(poke.name, of: poke.directory) else {
                return false
            }
            return view(facts, of: node) != .directory
        } catch {
            return error == .refused(.noEntry)
        }
    }

    /// Gives the key of a name another node, and with it what programs have open, and what is in
    /// memory alone.
    private func renew(_ node: KeyNode) {
        let new = keys.renew(node)
        scratch.moveAll(from: node, to: new)
        files.forEach { handle in
            switch handle {
            case .key(let file) where file.node === node: file.move(to: new)
            case .scratch(let open) where open.file.destination === node: open.file.move(to: new)
            default: break
            }
        }
        keys.dropUnused(node)
    }

    /// Whether this mount makes the key, or one below it, at this moment.
    private func isBeingMade(_ poke: PendingPoke) -> Bool {
        guard let path = try? poke.directory.path(ofChild: poke.name) else { return false }
        return announcer.own.isMaking(path)
    }

    public func openForPoker(_ inode: InodeNumber) throws(FilesystemError) -> HandleID {
        let (node, view) = try find(inode)
        announcer.pokes.find(node, view)?.isDone = true
        return .poker
    }

    public func touchForPoker(_ inode: InodeNumber) async throws(FilesystemError) -> Attributes {
        let (node, view) = try find(inode)
        guard let poke = announcer.pokes.find(node, view) else { throw .stale }
        injected.begin(node)
        guard await poke.hasHappened() else {
            logInotify("\(poke.kind) \(poke.name): no event, as nothing of it has changed")
            injected.acknowledge()
            poke.isDone = true
            throw .busy
        }
        // A change of the content goes on with opening it.
        poke.isDone = poke.kind != .modify
        return attributesForPoker(node, view, poke, isSure: true)
    }

    // MARK: Batches

    public func pokerHasCome() {
        injected.acknowledge()
    }

    public func pokerIsDone() {
        injected.acknowledge()
        pokesAreSettled()
        announcer.pokes.done()
        sendPokes()
    }

    public func pokerHasStarted() {
        injected.acknowledge()
        pokesAreSettled()
        announcer.pokes.started()
        sendPokes()
    }

    public func pokerHasEnded() {
        injected.acknowledge()
        pokesAreSettled()
        announcer.pokes.ended()
    }

    /// Gives the poker its next batch, if it has nothing to do.
    ///
    /// - Parameter afterQuestion: whether what is asked of the store now goes out first: its answer
    ///   takes longer than the poker's way.
    func sendPokes(afterQuestion: Bool = false) {
        guard let send = environment.poke else { return }
        while true {
            let batch = announcer.pokes.takeBatch()
            guard !batch.isEmpty else { return }
            let calls = batch.compactMap { poke in
                // Even a refused rmdir(2) makes the kernel forget what is below.
                isRefused(poke)
                    ? nil : pathOnMount(of: poke).map { Poke(kind: poke.kind, path: $0) }
            }
            guard calls.isEmpty else {
                // Who is told looks, and is to see the new.
                if options.cache == .watch { return environment.afterNotices { send(calls) } }
                guard afterQuestion else { return send(calls) }
                // Requests go out with what is for later when they are made.
                let environment = environment
                return environment.later { environment.later { send(calls) } }
            }
            // All of their directories are gone.
            announcer.pokes.done()
        }
    }

    /// The path from the mount's root on; nil where the directory has lost its place.
    private func pathOnMount(of poke: PendingPoke) -> String? {
        // Its name may be longer than a key's: `.value`.
        guard let path = try? poke.directory.path() else { return nil }
        let above = path.text.utf8.dropFirst(
            options.subtree.isRoot ? 1 : options.subtree.text.utf8.count + 1
        )
        guard !poke.name.isEmpty else { return "." }
        return above.isEmpty ? poke.name : "\(Substring(above))/\(poke.name)"
    }

    private func entry(of poke: PendingPoke, as shownView: View? = nil) -> Entry {
        let view = shownView ?? poke.view
        let node =
            poke.isOwnValue
            ? poke.directory : keys.insertChild(poke.name, of: poke.directory)
        node.addLookupOfPoker(view)
        return Entry(
            attributes: attributesForPoker(node, view, poke, isSure: false),
            nameLifetime: nameLifetime(of: poke, node)
        )
    }

    /// - Parameter isSure: whether the kernel takes the attributes in any case. Those of a lookup
    ///   it leaves if it has taken another answer meanwhile.
    private func attributesForPoker(
        _ node: KeyNode,
        _ view: View,
        _ poke: PendingPoke,
        isSure: Bool
    ) -> Attributes {
        let reported = Int(node.reportedSize)
        let size = sizeForPoker(node, view, current: poke.size)
        let attributes = attributes(of: node, view, poke.permissions, size: size)
        guard view == .file else { return attributes }
        node.limitReportedSize(reported)
        injected.give(size, of: node, isSure: isSure)
        return attributes
    }

    /// The kernel may keep a name where nothing has happened to it since the store was asked, so
    /// that the next poke is one request less.
    private func nameLifetime(of poke: PendingPoke, _ node: KeyNode) -> Double {
        // Who comes to a directory looks it up: it is only then that what is below is told.
        guard !poke.isRemoval, !poke.isOwnValue, poke.view == .file,
            node.shownView ?? .file == .file,
            let path = try? node.path(), !announcer.own.contains(path)
        else { return 0 }
        node.shownView = poke.view
        return nameLifetime(path, asOf: poke.serial)
    }
}

extension HandleID {
    /// What the poker opens. Nothing can be read from it or written to it.
    static let poker = HandleID(rawValue: 0)
}
