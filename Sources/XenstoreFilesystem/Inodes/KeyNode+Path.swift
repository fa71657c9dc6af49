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

    /// Whether this is the path of the key.
    func isAt(_ path: XenstorePath) -> Bool {
        if isRoot && name.isEmpty { return path.isRoot }
        var text = path.text
        return text.withUTF8 { bytes in
            var end = bytes.count
            var node = self
            while let parent = node.parent {
                guard Self.isName(node.name, before: &end, in: bytes) else { return false }
                node = parent
            }
            return node.isRoot && end == node.name.utf8.count
                && Self.isPart(node.name, at: 0, in: bytes)
        }
    }

    /// Whether a slash and a name end there.
    private static func isName(
        _ name: String,
        before end: inout Int,
        in bytes: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        let start = end - name.utf8.count
        guard start > 0, bytes[start - 1] == UInt8(ascii: "/"),
            isPart(name, at: start, in: bytes)
        else { return false }
        end = start - 1
        return true
    }

    private static func isPart(
        _ name: String,
        at start: Int,
        in bytes: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        var name = name
        return name.withUTF8 { name in
            let name = UnsafeRawBufferPointer(name)
            let part = UnsafeRawBufferPointer(bytes)
            var next = 0
            // By words, as names are compared for each answer of the store.
            while next + 8 <= name.count {
                let word = name.loadUnaligned(fromByteOffset: next, as: UInt64.self)
                guard part.loadUnaligned(fromByteOffset: start + next, as: UInt64.self) == word
                else { return false }
                next += 8
            }
            while next < name.count {
                guard part[start + next] == name[next] else { return false }
                next += 1
            }
            return true
        }
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
