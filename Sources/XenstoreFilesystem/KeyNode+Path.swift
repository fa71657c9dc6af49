import XenstoreProtocol

extension KeyNode {
    /// The path of the key.
    ///
    /// - Throws: ``FilesystemError/stale`` for a key that has lost its place,
    ///   ``FilesystemError/nameTooLong`` where the path exceeds the protocol's limit.
    func path() throws(FilesystemError) -> XenstorePath {
        // Most often the root of the store, whose path is more than its (empty) name.
        if isRoot, name.isEmpty { return .root }
        var text = ""
        try appendPath(to: &text)
        guard text.utf8.count <= ProtocolLimits.absolutePathSize else { throw .nameTooLong }
        return XenstorePath(unchecked: text)
    }

    /// The path of a child of the key.
    ///
    /// - Parameter name: a legal name.
    func path(ofChild name: String) throws(FilesystemError) -> XenstorePath {
        var text = ""
        try appendPath(to: &text)
        text.append("/")
        text.append(name)
        guard text.utf8.count <= ProtocolLimits.absolutePathSize else { throw .nameTooLong }
        return XenstorePath(unchecked: text)
    }

    private func appendPath(to text: inout String) throws(FilesystemError) {
        guard !isRoot else { return text.append(name) }
        guard let parent else { throw .stale }
        try parent.appendPath(to: &text)
        text.append("/")
        text.append(name)
    }
}
