public import XenstoreProtocol

extension Filesystem {
    /// The token of the watch that keeps names, shapes and permissions true.
    public var watchToken: [UInt8] { Array("xsfs".utf8) }

    /// A connection is there: sets the watch and forgets all that was known without it.
    public func connected() async {
        isWatching = false
        do throws(XenstoreError) {
            _ = try await access.send(.watch(.root, token: watchToken), in: .none)
            isWatching = true
        } catch {
            // Without it nothing is kept, and every name is asked for.
            environment.report("the store refused a watch of its root: \(error)")
        }
        forgetEverything()
    }

    /// The connection is lost: nothing is known until it is back.
    public func disconnected() {
        isWatching = false
    }

    private func forgetEverything() {
        changes.append(.root)
        for node in keys.subtree(of: keys.root) {
            node.forgetFacts()
            // The kernel drops what is below a name together with it.
            if node.parent?.isRoot == true { forgetName(of: node) }
        }
    }

    /// Takes the event of a watch: something at `path` may have changed, or below it all may be
    /// gone.
    public func changed(_ path: XenstorePath) {
        guard path.isAbsolute else { return }
        changes.append(path)
        var node = keys.root
        var rest = path.components[...]
        while let name = rest.first, let child = keys.child(String(name), of: node) {
            passChange(below: node, isDirectlyBelow: rest.count == 1)
            node = child
            rest = rest.dropFirst()
        }
        guard rest.isEmpty else { return passChange(below: node, isDirectlyBelow: rest.count == 1) }
        node.modified = environment.now()
        forgetFactsBelow(node)
        if node.shownView == .directory { verify(node) }
    }

    /// Something changed below a key: it has children now, or has lost its last one.
    private func passChange(below node: KeyNode, isDirectlyBelow: Bool) {
        if isDirectlyBelow { node.modified = environment.now() }
        guard !node.isRoot else { return }
        if node.shownView == .file {
            // The kernel would refuse to walk through a file without asking.
            node.hasChildren = nil
            node.shownView = nil
            if node.fileLookups > 0 { forgetName(of: node) }
        } else if isDirectlyBelow {
            node.hasChildren = nil
            // Only a key with a value can turn into a file by losing its children.
            if node.hasValue { verify(node) }
        }
    }

    /// Asks whether a key still is the directory that the kernel holds it for, and makes the kernel
    /// look again if not. A directory that still is one must not be dropped: it may be somebody's
    /// working directory.
    private func verify(_ node: KeyNode) {
        guard node.directoryLookups > 0, !node.isRoot, !node.isVerifying else { return }
        node.isVerifying = true
        environment.start { [self] in
            defer { node.isVerifying = false }
            while let path = try? node.path() {
                let serial = changes.serial
                let facts = try? await facts(of: path, node: node)
                // A change while the answer was on its way: it may be out of date.
                if changes.hasChanged(path, since: serial), isWatching { continue }
                guard let facts else { return }
                let actual = view(facts, of: node)
                if node.shownView == .directory, actual != .directory {
                    node.shownView = actual
                    forgetName(of: node)
                }
                return
            }
        }
    }
}
