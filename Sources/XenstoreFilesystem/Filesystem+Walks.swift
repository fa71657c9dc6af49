import XenstoreProtocol

/// The directory that a thread goes through.
struct WalkPlace: Hashable {
    let caller: CallerID
    let directory: UInt64
}

extension Filesystem {
    /// The facts of a key for a system call of `caller`, and of what a walk will want next.
    func facts(
        of node: KeyNode,
        _ view: View,
        for caller: CallerID
    ) async throws(FilesystemError) -> KeyFacts {
        let path = try node.path()
        if isWatching, let directory = walk(of: caller, to: node) {
            let next = directory.walk.next(from: node.inode(view))
            if next.count > 1 { return try await askAhead(next, view, of: node, path, directory) }
        }
        return try await facts(of: path, node: node)
    }

    /// The facts of a key for a system call of `caller`, where they are known.
    ///
    /// Each call asks the store, with two exceptions for the thread that goes from one file to the
    /// next faster than it could have learnt of a change: what it was told a moment ago holds for
    /// the calls that follow at once, and what its walk through a listing will want next was asked
    /// for in one batch, and serves once. Neither does where a change of the key is known by now.
    ///
    /// - Parameter isOpening: whether a file is opened, for which what an opening before has told
    ///   does not count.
    func factsFromMemory(
        of node: KeyNode,
        _ view: View,
        for caller: CallerID,
        isOpening: Bool = false
    ) throws(FilesystemError) -> KeyFacts? {
        let inode = node.inode(view)
        if let last = lastAnswers.take(inode, for: caller, isOpening: isOpening) {
            // The kernel has looked the name up for this very open(2).
            let isRetry = isOpening && isRetrying && openRetries.contains(caller)
            if isRetry { return last.facts }
            let isTrue = isTrue(
                last,
                of: try node.path(),
                within: FilesystemLimits.lastAnswerLifetime
            )
            if isTrue { return last.facts }
        }
        guard isWatching, let directory = walk(of: caller, to: node),
            let ahead = directory.walk.take(inode),
            isTrue(ahead, of: try node.path(), within: FilesystemLimits.aheadLifetime)
        else { return nil }
        return ahead.facts
    }

    /// Whether what the store said a moment ago still holds, as far as it has sent events.
    func isTrue(
        _ fresh: FreshFacts,
        of path: XenstorePath,
        within lifetime: Duration
    ) -> Bool {
        isWatching && fresh.ownChanges == ownChanges
            && environment.elapsed() - fresh.told < lifetime
            && environment.takeEvents() && !changes.hasChanged(path, since: fresh.serial)
    }

    /// Notes what was just told, at once after the answer came.
    func fresh(_ facts: KeyFacts, asOf serial: Int, _ ownChanges: Int) -> FreshFacts {
        FreshFacts(
            facts: facts,
            serial: serial,
            ownChanges: ownChanges,
            told: environment.elapsed()
        )
    }

    // MARK: Going through a listing

    private func walk(of caller: CallerID, to node: KeyNode) -> OpenDirectory? {
        guard !walks.isEmpty, let parent = node.parent else { return nil }
        return walks[WalkPlace(caller: caller, directory: parent.id)]
    }

    /// The thread is given entries of a listing.
    func begin(_ directory: OpenDirectory) {
        let place = WalkPlace(caller: directory.caller, directory: directory.node.id)
        walks[place] = directory
    }

    func end(_ directory: OpenDirectory) {
        let place = WalkPlace(caller: directory.caller, directory: directory.node.id)
        if walks[place] === directory { walks[place] = nil }
    }

    /// Asks for a file and for those that a program wants after it.
    ///
    /// - Parameter next: the files, `node` first.
    private func askAhead(
        _ next: ArraySlice<InodeNumber>,
        _ view: View,
        of node: KeyNode,
        _ path: XenstorePath,
        _ directory: OpenDirectory
    ) async throws(FilesystemError) -> KeyFacts {
        var queries = [(node: node, query: FactsQuery(path, known: node))]
        for inode in next.dropFirst() {
            // Only what is like the first: a program that looks at directories alone may never
            // look at the files.
            guard let (other, otherView) = keys.find(inode), otherView == view,
                let path = try? other.path()
            else { continue }
            queries.append((other, FactsQuery(path, known: other)))
        }
        let (serial, ownChanges) = (changes.serial, ownChanges)
        let answers = await access.base.send(queries.flatMap(\.query.requests), in: .none)
        var result: Result<KeyFacts, XenstoreError>?
        var position = 0
        for (other, query) in queries {
            let end = position + query.requests.count
            let outcome = Result { () throws(XenstoreError) in
                try query.facts(answers[position..<end])
            }
            position = end
            if case .success(var facts) = outcome {
                facts.serial = serial
                if other === node { result = .success(facts) }
                learn(facts, of: other, query.path, asOf: serial)
                if other !== node {
                    let facts = fresh(facts, asOf: serial, ownChanges)
                    directory.walk.put(facts, for: other.inode(view))
                }
            }
            if case .failure = outcome, other === node { result = outcome }
        }
        switch result {
        case .success(let facts): return facts
        case .failure(let error): throw noted(error, node, at: path)
        case nil: throw .inputOutput
        }
    }
}
