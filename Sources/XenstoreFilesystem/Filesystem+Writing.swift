import XenstoreProtocol

/// What programs write through files that they have open, and what is pending of it.
extension Filesystem {
    public func write(
        _ bytes: [UInt8],
        to handle: HandleID,
        offset: Int
    ) async throws(FilesystemError) {
        try requireWritable()
        switch try files.find(handle) {
        case .key(let file): try await write(bytes, to: file, offset: offset)
        case .scratch(let open): try await write(bytes, to: open, offset: offset)
        case .leased, .stream: throw .badHandle
        }
    }

    private func write(
        _ bytes: [UInt8],
        to file: OpenFile,
        offset: Int
    ) async throws(FilesystemError) {
        guard file.flags.contains(.write) else { throw .badHandle }
        guard !bytes.isEmpty else { return }
        try await finishPending(of: file.node, except: file)
        do throws(FilesystemError) {
            if file.flags.contains(.append) {
                try await append(bytes, to: file)
            } else {
                try await overwrite(bytes, of: file, offset: offset)
            }
        } catch {
            // The value stays as it was, and closing must not empty it. What its creation was
            // deferred for never came.
            if file.createsOnWrite { kernelCache.invalidateEntry(of: file.node, .failedCreation) }
            endPending(file)
            throw error
        }
        endPending(file)
        follow(file.content, of: file.node)
    }

    private func overwrite(
        _ bytes: [UInt8],
        of file: OpenFile,
        offset: Int
    ) async throws(FilesystemError) {
        guard offset >= 0, bytes.count <= FilesystemLimits.fileSize,
            offset <= FilesystemLimits.fileSize - bytes.count
        else { throw .tooLarge }
        var content = file.content
        if offset > content.count, file.pending == .nothing {
            content = try await extended(content, of: file.node)
        }
        let end = offset + bytes.count
        if content.count < end { content.resize(to: end) }
        content.replaceSubrange(offset..<end, with: bytes)
        try await put(content, to: file.node)
        file.written(content)
        if !kernelCache.sizes.mayPrevail(file.node, at: environment.elapsed) {
            file.node.extendReportedSize(end)
        }
    }

    /// What a file holds by now, where that is more than a handle knows: a program that writes
    /// beyond the end it has read goes by a size that others have given the file.
    private func extended(
        _ content: [UInt8],
        of node: KeyNode
    ) async throws(FilesystemError) -> [UInt8] {
        do throws(FilesystemError) {
            let stat = try await reader.stat(of: node.path(), node: node)
            let current = options.valueForm.content(of: stat.value)
            return current.count > content.count ? current : content
        } catch .noEntry {
            // The write makes it, as every put does.
            return content
        }
    }

    /// Appends to whatever the value is now, so that nothing is lost between several writers.
    private func append(_ bytes: [UInt8], to file: OpenFile) async throws(FilesystemError) {
        let path = try file.node.path()
        let form = options.valueForm
        // What was truncated is the handle's own; a file that is only being created may be
        // another's by now, who appends to it too.
        let isTruncated = file.pending == .untilFlush || file.flags.contains(.truncate)
        let start = file.pending != .nothing && isTruncated ? file.content : nil
        let content = try await writer.transaction(at: path) {
            id async throws(XenstoreError) -> Outcome<[UInt8]> in
            var content = start ?? []
            do throws(XenstoreError) {
                let old = try await writer.access.send(.read(path), in: id)
                content = start ?? form.content(of: old)
            } catch .refused(.noEntry) {
                // Not there yet, or removed meanwhile: the write makes it, as every put does.
            }
            content.append(contentsOf: bytes)
            guard content.count <= FilesystemLimits.fileSize else {
                return .fail(.tooLarge)
            }
            _ = try await writer.access.send(.write(path, value: form.value(of: content)), in: id)
            return .commit(content)
        }
        file.written(content)
    }

    func put(_ content: [UInt8], to node: KeyNode) async throws(FilesystemError) {
        let value = options.valueForm.value(of: content)
        let path = try node.path()
        try await writer.send(.write(path, value: value), at: path)
    }

    /// Does what other handles of a file have pending: on a disk it was done when they asked, and
    /// what comes now is later.
    func finishPending(
        of node: KeyNode,
        except own: OpenFile? = nil
    ) async throws(FilesystemError) {
        guard node.handleCount > (own == nil ? 0 : 1) else { return }
        var others: [OpenFile] = []
        files.forEach(of: node) { file in
            if file !== own, file.pending != .nothing { others.append(file) }
        }
        for file in others {
            try await finish(file)
        }
    }

    /// This mount has given a file another content: handles that write go on from there.
    func follow(_ content: [UInt8], of node: KeyNode) {
        files.forEach(of: node) { $0.follow(content) }
    }

    /// What was pending is done, or has failed and is given up.
    private func endPending(_ file: OpenFile) {
        file.pending = .nothing
        if file.createsOnWrite {
            file.createsOnWrite = false
            file.node.deferredCreateCount -= 1
            if let parent = file.node.parent { noteChild(of: parent, named: file.node.name) }
        }
    }

    /// Makes a key whose creation open files have deferred, before their first write: what is to be
    /// done to it needs it. MKDIR leaves one alone that others have made meanwhile.
    func commitDeferredCreate(_ node: KeyNode) async throws(FilesystemError) {
        guard node.deferredCreateCount > 0 else { return }
        let path = try node.path()
        try await writer.send(.makeDirectory(path), at: path)
        files.forEach(of: node) { file in
            guard file.createsOnWrite else { return }
            let pending = file.pending
            endPending(file)
            // It is empty now, and ftruncate(2) may have asked for more.
            if !file.content.isEmpty { file.pending = pending }
        }
    }

    // MARK: What is pending

    /// Does what is pending of an open file.
    func finish(_ file: OpenFile) async throws(FilesystemError) {
        // A file that was removed meanwhile, or a directory above it, has nothing to be put.
        guard (try? file.node.path()) != nil else { return endPending(file) }
        defer { endPending(file) }
        if file.createsOnWrite, file.content.isEmpty {
            try await makeIfMissing(file.node)
        } else if file.pending == .untilRelease, file.content.isEmpty, let hidden = file.hidden {
            try await empty(file.node, of: hidden)
        } else {
            try await put(file.content, to: file.node)
            follow(file.content, of: file.node)
        }
    }

    /// Does what O_TRUNC asked for, unless others have given the key another value since: on a disk
    /// that would have come later. The store is asked, as its event of that may still be on its
    /// way.
    private func empty(_ node: KeyNode, of value: [UInt8]) async throws(FilesystemError) {
        let path = try node.path()
        reader.closing.begin(node)
        defer { reader.closing.end(node) }
        let isEmpty = try await writer.transaction(at: path) {
            id async throws(XenstoreError) -> Outcome<Bool> in
            do throws(XenstoreError) {
                guard try await writer.access.send(.read(path), in: id) == value else {
                    return .unchanged(false)
                }
            } catch .refused(.noEntry) {
                return .unchanged(false)
            }
            _ = try await writer.access.send(.write(path, value: []), in: id)
            return .commit(true)
        }
        if isEmpty { follow([], of: node) }
    }

    /// Makes an empty key, unless another writer has made it since it was opened for creation.
    private func makeIfMissing(_ node: KeyNode) async throws(FilesystemError) {
        // MKDIR leaves a key that is there as it is.
        let path = try node.path()
        try await writer.send(.makeDirectory(path), at: path)
    }
}
