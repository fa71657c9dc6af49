import XenstoreProtocol

extension Filesystem {
    public func openDirectory(
        _ inode: InodeNumber,
        by caller: CallerID
    ) async throws(FilesystemError) -> HandleID {
        kernelCache.acknowledge(caller)
        let node = try findDirectory(inode)
        if let made = scratch.directory(of: node) {
            node.handleCount += 1
            return directories.insert(
                OpenDirectory(node: node, caller: caller, listing: listing(of: made))
            )
        }
        if let handle = openLeasedDirectory(node, by: caller) { return handle }
        let (listing, answer) = try await listingToOpen(node, by: caller)
        try requireKind(.directory, of: node, listing.stat)
        let lease = lease(listing, of: node)
        node.handleCount += 1
        let directory = OpenDirectory(node: node, caller: caller, listing: listing)
        directory.firstAnswer = answer
        directory.lease = lease
        directory.readahead = reader.readahead.window(for: caller)
        let handle = directories.insert(directory)
        reader.keep(answer, of: inode, for: caller, by: handle)
        await prepareForWatch(node, by: caller)
        return handle
    }

    /// The listing of a directory that is opened, which may have come with its attributes.
    private func listingToOpen(
        _ node: KeyNode,
        by caller: CallerID
    ) async throws(FilesystemError) -> (Listing, CachedStat) {
        let isWalking = reader.readahead.isWalking(
            to: node,
            by: caller,
            at: environment.elapsed()
        )
        reader.readahead.willOpen(node, by: caller)
        if let ahead = try reader.takeListing(of: node, for: caller) { return ahead }
        let listing = try await listing(of: node, for: caller)
        let lifetime =
            isWalking ? FilesystemLimits.readaheadLifetime : FilesystemLimits.threadStatLifetime
        return (listing, reader.fresh(listing.stat, lifetime: lifetime))
    }

    /// What the store says of a directory, and its listing with that for a thread that is about to
    /// open it.
    func statOfDirectory(
        _ node: KeyNode,
        for caller: CallerID
    ) async throws(FilesystemError) -> KeyStat {
        reader.readahead.willStat(node, by: caller)
        guard changes.isWatching, reader.readahead.opensNext(node, by: caller), !node.isUnlinked
        else { return try await reader.stat(of: node, .directory, for: caller) }
        let listing = try await listing(of: node, for: caller)
        let answer = reader.fresh(listing.stat, lifetime: FilesystemLimits.readaheadLifetime)
        reader.readahead.keep(listing, of: node, answer, for: caller)
        return listing.stat
    }

    public func releaseDirectory(_ handle: HandleID) {
        reader.close(handle)
        guard let directory = directories.remove(handle) else { return }
        reader.readahead.end(directory)
        directory.node.handleCount -= 1
        keys.dropUnused(directory.node)
    }

    public func list(
        _ handle: HandleID,
        offset: Int,
        fits: (_ name: String) -> Bool
    ) async throws(FilesystemError) -> [DirectoryEntry] {
        let directory = try directories.find(handle)
        let listing: Listing
        if let known = directory.listing, offset > 0 || isFirstReading(of: directory) {
            listing = known
        } else {
            // rewinddir(3): the program wants to see what is there now.
            listing = try await self.listing(of: directory.node, for: directory.caller)
            try requireKind(.directory, of: directory.node, listing.stat)
            directory.listing = listing
            directory.readahead = reader.readahead.window(for: directory.caller)
        }
        let dots = [".", ".."]
        let names = listing.names
        var selected: [(name: String, nextOffset: Int)] = []
        for position in max(offset, 0)..<max(offset, dots.count + names.count) {
            let name = position < dots.count ? dots[position] : names[position - dots.count]
            guard fits(name) else { break }
            selected.append((name, position + 1))
        }
        guard !selected.isEmpty else { return [] }
        reader.readahead.begin(directory, at: environment.elapsed())
        return try await entries(selected, of: directory, listing)
    }

    /// Whether a reading from the start is the one that follows opendir(3) at once, for which the
    /// listing of the opening holds. The kernel does not pass rewinddir(3) on: a program that has
    /// called it before its first reading looks the same, and wants to see what is there now.
    private func isFirstReading(of directory: OpenDirectory) -> Bool {
        guard let answer = directory.firstAnswer else { return false }
        directory.firstAnswer = nil
        // A lease holds the listing for the kernel until a change.
        if let lease = directory.lease, kernelCache.keeps(lease, of: directory.node) { return true }
        guard let path = try? directory.node.path() else { return false }
        guard changes.isWatching else {
            return changes.isBeforeLocalChanges(answer.stat.version)
                && environment.elapsed() - answer.given < FilesystemLimits.threadStatLifetime
        }
        let listed = CachedStat(
            stat: answer.stat,
            given: answer.given,
            lifetime: FilesystemLimits.readaheadLifetime
        )
        return reader.isTrue(listed, of: path)
    }

    // MARK: Names

    /// Asks for the names in a directory, and with them for what the thread will want of the
    /// children that it had.
    private func listing(
        of node: KeyNode,
        for caller: CallerID
    ) async throws(FilesystemError) -> Listing {
        if let made = scratch.directory(of: node) { return listing(of: made) }
        guard !node.isUnlinked else { throw unlinked(node) }
        let path = try node.path()
        let query = reader.query(path, node, asksNames: true)
        let children = reader.childQueries(of: node, for: caller)
        let own = query.requests
        let requests = own + children.flatMap(\.requests)
        let answers = await reader.access.send(requests, in: .none)
        let stat: KeyStat
        do throws(XenstoreError) {
            stat = try query.stat(answers[..<own.count])
        } catch .refused(.noEntry) {
            throw gone(node)
        } catch {
            throw FilesystemError(error, at: path)
        }
        learned(stat, of: node, at: path)
        var names = try await names(of: path, answers[1])
        recordBaseline(names, of: node, path, asOf: stat.version)
        reader.readahead.hint((try? answers[1].get()) ?? [], of: node)
        // First, so that rm -r empties the value before the last child goes: the other way round
        // the key would turn into a file under its hands.
        if !stat.value.isEmpty { names.insert(NameMeaning.ownValueName, at: 0) }
        return Listing(
            names: withoutLongNames(names, in: path) + scratch.names(in: node),
            stat: stat,
            children: reader.childAnswers(children, answers[own.count...])
        )
    }

    /// The names that the kernel takes: another would fail the whole listing.
    private func withoutLongNames(_ names: [String], in path: XenstorePath) -> [String] {
        let isLong = { (name: String) in name.utf8.count > FilesystemLimits.shortName }
        guard names.contains(where: isLong), let kernel = environment.kernel() else { return names }
        return names.filter { name in
            if kernel.takes(name) { return true }
            environment.leftOut(name, path.text)
            return false
        }
    }

    /// The names in the answer to DIRECTORY, or by parts where one message does not hold them.
    private func names(
        of path: XenstorePath,
        _ answer: Result<[UInt8], XenstoreError>
    ) async throws(FilesystemError) -> [String] {
        do throws(XenstoreError) {
            guard case .success(let payload) = answer else {
                let names = try await reader.access.directoryByParts(path, in: .none)
                return reader.withoutLongNames(names, of: path)
            }
            return reader.withoutLongNames(try reader.access.childNames(payload), of: path)
        } catch {
            throw FilesystemError(error)
        }
    }
}
