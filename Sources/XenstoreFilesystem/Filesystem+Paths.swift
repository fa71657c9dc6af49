import XenstoreProtocol

/// Where things are, for a person: from memory, and never with an error.
extension Filesystem {
    public func path(ofDirectory handle: HandleID) -> String {
        (try? directories.find(handle)).map { path(of: $0.node, .directory) } ?? unknownPath
    }

    private var unknownPath: String { "?" }

    public func path(of handle: HandleID) -> String {
        switch try? files.find(handle) {
        case .key(let file): path(of: file.node, .file)
        case .scratch(let open): path(of: open.file)
        case .leased(let node): path(of: node, .file)
        case .stream(let stream): "\(pathOnMount(stream.path)).watch"
        case nil: unknownPath
        }
    }

    public func path(of inode: InodeNumber) -> String {
        if let file = scratch.find(inode) { return path(of: file) }
        if let file = streams.find(inode) { return "\(pathOnMount(file.path)).watch" }
        guard let (node, kind) = try? find(inode) else { return unknownPath }
        return path(of: node, kind)
    }

    private func path(of file: ScratchFile) -> String {
        guard let directory = file.directory else { return "\(file.name) (removed)" }
        return path(of: directory, .directory).appending(name: file.name)
    }

    /// A key by its plain name, or by one that asks for the other shape.
    private func path(of node: KeyNode, _ kind: FileKind) -> String {
        guard let path = try? node.path() else { return "\(node.name) (removed)" }
        let text = pathOnMount(path)
        switch kind {
        case .file where node.reportedKind == .directory:
            return text.appending(name: NameMeaning.ownValueName)
        case .directory where node.reportedKind == .file: return "\(text).dir"
        case .file, .directory: return text
        }
    }

    private func pathOnMount(_ path: XenstorePath) -> String {
        guard options.subtree.contains(path) else { return path.text }
        let names = keys.names(to: path)
        return "/" + names.joined(separator: "/")
    }
}
