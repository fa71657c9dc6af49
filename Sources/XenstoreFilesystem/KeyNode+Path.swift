import XenstoreProtocol

extension KeyNode {
    /// The path of the key.
    ///
    /// - Throws: ``FilesystemError/stale`` for a key that has lost its place,
    ///   ``FilesystemError/nameTooLong`` where the path exceeds the protocol's limit.
    func path() throws(FilesystemError) -> XenstorePath {
        // Most often the root of the store, whose path is more than its (empty) name.
        isRoot && name.isEmpty ? .root : try path(after: nil)
    }

    /// The path of a child of the key.
    ///
    /// - Parameter name: a legal name.
    func path(ofChild name: String) throws(FilesystemError) -> XenstorePath {
        try path(after: name)
    }

    /// Nearly each request of the kernel needs a path: it is written once, from its end, into a
    /// text of the right length.
    private func path(after last: String?) throws(FilesystemError) -> XenstorePath {
        var count = last.map { 1 + $0.utf8.count } ?? 0
        var node = self
        while !node.isRoot {
            count += 1 + node.name.utf8.count
            guard let parent = node.parent else { throw .stale }
            node = parent
        }
        count += node.name.utf8.count
        guard count <= ProtocolLimits.absolutePathSize else { throw .nameTooLong }
        let text = String(unsafeUninitializedCapacity: count) { bytes in
            var end = count
            if let last { Self.put(last, before: &end, in: bytes) }
            var node = self
            while let parent = node.parent {
                Self.put(node.name, before: &end, in: bytes)
                node = parent
            }
            Self.copy(node.name, to: 0, in: bytes)
            return count
        }
        return XenstorePath(unchecked: text)
    }

    /// Writes a slash and a name.
    private static func put(
        _ name: String,
        before end: inout Int,
        in bytes: UnsafeMutableBufferPointer<UInt8>
    ) {
        end -= name.utf8.count
        copy(name, to: end, in: bytes)
        end -= 1
        bytes[end] = UInt8(ascii: "/")
    }

    private static func copy(
        _ name: String,
        to start: Int,
        in bytes: UnsafeMutableBufferPointer<UInt8>
    ) {
        var name = name
        name.withUTF8 { source in
            _ = bytes[start...].update(fromContentsOf: source)
        }
    }
}
