import XenstoreProtocol

extension Filesystem {
    // MARK: Opening

    public func openFromStore(
        _ inode: InodeNumber,
        _ flags: OpenFlags,
        by caller: CallerID
    ) async throws(FilesystemError) -> HandleID {
        if flags.contains(.write) { try requireWritable() }
        if let file = scratch.find(inode) { return try openScratch(file, flags) }
        if let file = streams.find(inode) { return try await openStream(file, flags) }
        let (node, kind) = try find(inode)
        guard kind == .file else { throw .isDirectory }
        if !flags.contains(.write) { return try await openToRead(node, flags, by: caller) }
        // On a disk it was done when it was asked for.
        try await finishPending(of: node)
        var createsOnWrite = false
        var opened = KeyStat(empty: Permissions(owner: .privileged))
        do throws(FilesystemError) {
            let stat = try await reader.statForOpening(node.path(), node, by: caller)
            if kernelCache.sizes.isPending(node) { await waitForSize(of: node) }
            try requireKindAtOpen(of: node, stat, by: caller)
            opened = stat
            if flags.contains(.truncate) {
                kernelCache.retries.endOpen(by: caller)
            } else {
                let answer = reader.fresh(stat)
                try requireSize(size(of: stat), of: node, answer, by: caller)
            }
            try await askForWriting(node.path(), stat)
        } catch .noEntry where node.deferredCreateCount > 0 {
            // Another handle is to create the key and has not written yet.
            createsOnWrite = true
        } catch .noEntry {
            // The kernel looks again, and creates the file if the program asked for that.
            throw staleAtOpen(node, by: caller)
        }
        return openFile(node, flags, by: caller, opened, createsOnWrite: createsOnWrite)
    }

    private func size(of stat: KeyStat) -> Int { options.valueForm.size(of: stat.value) }

    /// Checks that the kernel takes the file to be as long as it is, or longer: sendfile(2),
    /// splice(2) and copy_file_range(2) read no further, and the kernel asks for no size first.
    ///
    /// - Throws: ``FilesystemError/stale`` where it may be taken for shorter: the kernel looks the
    ///   name up again, and opens the file once more.
    private func requireSize(
        _ size: Int,
        of node: KeyNode,
        _ answer: CachedStat,
        by caller: CallerID
    ) throws(FilesystemError) {
        let isAgain = kernelCache.retries.endOpen(by: caller)
        guard size > node.reportedSize, !isAgain else { return }
        kernelCache.retries.beginOpen(by: caller)
        // The lookup is of the same open(2).
        reader.keep(answer, of: node.inode(.file), for: caller, by: nil)
        throw .stale
    }

    private func requireKindAtOpen(
        of node: KeyNode,
        _ stat: KeyStat,
        by caller: CallerID
    ) throws(FilesystemError) {
        do throws(FilesystemError) {
            try requireKind(.file, of: node, stat)
        } catch {
            kernelCache.retries.beginOpen(by: caller)
            throw error
        }
    }

    /// Waits until the kernel has taken note of the size that it is given with a change of others:
    /// a program that has the file open may read as far as the kernel takes it to be.
    func waitForSize(of node: KeyNode) async {
        await kernelCache.sizes.waitUntilAcknowledged(node) { end in
            environment.after(FilesystemLimits.injection, end)
        }
    }

    /// The error for a file that is gone: the kernel looks the name up again, and finds that there
    /// is nothing, or creates the file. Another program may have been told the same, or the agent
    /// may have taken the name, while this open was on its way. A thread that comes again without a
    /// lookup has no name for it, and is told the end of it.
    private func staleAtOpen(_ node: KeyNode, by caller: CallerID) -> FilesystemError {
        // Gone again since that lookup: the kernel would not look once more.
        guard kernelCache.retries.beginOpenOfGone(node, by: caller) else { return .noEntry }
        if !node.isUnlinked {
            node.isStaleInKernel = true
            kernelCache.invalidateEntry(of: node, .removed)
        }
        return .stale
    }

    private func openToRead(
        _ node: KeyNode,
        _ flags: OpenFlags,
        by caller: CallerID
    ) async throws(FilesystemError) -> HandleID {
        do throws(FilesystemError) {
            let known = try reader.statFromMemory(of: node, .file, for: caller, isOpening: true)
            let answer: CachedStat
            if let known {
                answer = known
            } else {
                answer = reader.fresh(try await reader.stat(of: node, .file, for: caller))
            }
            if kernelCache.sizes.isPending(node) { await waitForSize(of: node) }
            return try openToRead(node, flags, answer, by: caller)
        } catch .noEntry where node.deferredCreateCount > 0 {
            // Another handle is to create the key and has not written yet.
            let empty = KeyStat(empty: Permissions(owner: .privileged))
            return openFile(node, flags, by: caller, empty, createsOnWrite: false)
        } catch .noEntry {
            throw staleAtOpen(node, by: caller)
        }
    }

    func openToRead(
        _ node: KeyNode,
        _ flags: OpenFlags,
        _ answer: CachedStat,
        by caller: CallerID
    ) throws(FilesystemError) -> HandleID {
        let stat = answer.stat
        try requireKindAtOpen(of: node, stat, by: caller)
        try requireSize(size(of: stat), of: node, answer, by: caller)
        let handle = openFile(node, flags, by: caller, stat, createsOnWrite: false)
        reader.keep(answer, of: node.inode(.file), for: caller, by: handle)
        return handle
    }

    /// Asks whether the store lets this domain write a key that is there. Nothing is sent where the
    /// key's permissions say so.
    func askForWriting(_ path: XenstorePath, _ stat: KeyStat) async throws(FilesystemError) {
        if let own = options.ownDomain, stat.permissions.access(of: own).contains(.write) {
            return
        }
        try await tryWriting(stat.value, to: path)
    }

    /// Tries a write in a transaction that is forgotten: where the store refuses it, opening fails,
    /// and not only the closing that nobody looks at.
    func tryWriting(_ value: [UInt8], to path: XenstorePath) async throws(FilesystemError) {
        guard options.asksForWriting else { return }
        try await writer.transaction(at: path) { id async throws(XenstoreError) -> Outcome<Void> in
            try await writer.access.write(value, to: path, in: id)
            return .unchanged(())
        }
    }

    func openFile(
        _ node: KeyNode,
        _ flags: OpenFlags,
        by opener: CallerID,
        _ stat: KeyStat,
        createsOnWrite: Bool
    ) -> HandleID {
        let truncates = flags.contains(.truncate)
        let content = truncates ? [] : options.valueForm.content(of: stat.value)
        let file = OpenFile(
            node: node,
            flags: flags,
            opener: opener,
            content: content,
            opened: environment.elapsed()
        )
        if truncates {
            kernelCache.noteModified(node)
            // The kernel takes it to be empty by itself.
            report(0, of: node)
        }
        // What is empty already need not be put.
        if truncates, !stat.value.isEmpty { file.hide(stat.value) }
        if createsOnWrite {
            file.createsOnWrite = true
            file.pending = .untilRelease
            node.deferredCreateCount += 1
        }
        node.handleCount += 1
        return files.insert(.key(file))
    }

    // MARK: Reading

    public func willCache(_ handle: HandleID) {
        guard case .key(let file) = try? files.find(handle) else { return }
        file.willCache()
    }

    public func read(_ handle: HandleID, offset: Int, count: Int) throws(FilesystemError)
        -> ArraySlice<UInt8>
    {
        switch try files.find(handle) {
        case .key(let file): return read(file, offset: offset, count: count)
        case .scratch(let open): return open.file.content.part(offset: offset, count: count)
        case .leased, .stream: throw .invalid
        }
    }

    private func read(_ file: OpenFile, offset: Int, count: Int) -> ArraySlice<UInt8> {
        // The kernel takes the end from here, where a program reads by sendfile(2).
        if offset + count > file.content.count {
            _ = kernelCache.sizes.mayPrevail(file.node, at: environment.elapsed)
            file.node.limitReportedSize(file.content.count)
        }
        return file.read(offset: offset, count: count)
    }

    /// With the kernel's cache there is no snapshot; and a program that has seen the end of one, or
    /// a larger size, and reads on wants what was appended, as tail(1) does.
    public func fileToAsk(_ handle: HandleID, offset: Int) -> InodeNumber? {
        switch try? files.find(handle) {
        case .leased(let node): node.inode(.file)
        case .key(let file) where file.asksAtEnd && offset >= file.content.count:
            file.node.inode(.file)
        default: nil
        }
    }

    public func readAsking(
        _ handle: HandleID,
        offset: Int,
        count: Int,
        by caller: CallerID
    ) async throws(FilesystemError) -> ArraySlice<UInt8> {
        switch try files.find(handle) {
        case .leased(let node):
            return try await readLeased(node, offset: offset, count: count, by: caller)
        case .key(let file):
            do throws(FilesystemError) {
                let stat = try await reader.stat(of: file.node.path(), node: file.node)
                let content = options.valueForm.content(of: stat.value)
                return file.read(content, offset: offset, count: count)
            } catch .noEntry, .stale {
                // It is gone: the same end again.
                return file.read(file.content, offset: offset, count: count)
            }
        case .scratch, .stream: throw .badHandle
        }
    }

    // MARK: Closing

    public func isClean(_ handle: HandleID) -> Bool {
        guard case .key(let file) = try? files.find(handle) else { return true }
        return file.pending != .untilFlush
    }

    public func flush(_ handle: HandleID) async throws(FilesystemError) {
        guard case .key(let file) = try files.find(handle) else { return }
        // A shell closes once before it writes: what O_TRUNC asked for waits until the file is
        // closed for good.
        guard file.pending == .untilFlush else { return }
        try await finish(file)
    }

    public func releaseToStore(_ handle: HandleID) async {
        reader.close(handle)
        guard case .key(let file) = files.remove(handle) else { return }
        do throws(FilesystemError) {
            try await finish(file)
        } catch {
            environment.report("closing \(file.node.name) failed: \(error)")
        }
        end(file)
    }

    /// The last that is known of an open file.
    func end(_ file: OpenFile) {
        file.node.handleCount -= 1
        kernelCache.retries.noteQuiet()
        keys.dropUnused(file.node)
    }
}
