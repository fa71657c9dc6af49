import XenstoreProtocol

/// A path as the store keys its nodes and watches by: absolute, or special (`@...`).
struct StorePath: Hashable {
    let text: String

    static let root = StorePath(text: "/")
    static let introduceDomain = StorePath(text: XenstorePath.introduceDomain.text)
    static let releaseDomain = StorePath(text: XenstorePath.releaseDomain.text)

    init(text: String) {
        self.text = text
    }

    /// Takes a caller's path; a relative one is below the home of the caller's domain.
    init(_ path: XenstorePath, from domain: DomainID) {
        if path.isAbsolute || path.isSpecial {
            text = path.text
        } else {
            text = StorePath.home(of: domain).text + "/" + path.text
        }
    }

    /// The path that consists of these names.
    init(names: ArraySlice<String>) {
        text = "/" + names.joined(separator: "/")
    }

    /// Where relative paths of a domain begin.
    static func home(of domain: DomainID) -> StorePath {
        StorePath(text: "/local/domain/\(domain)")
    }

    var isSpecial: Bool { text.utf8.first == UInt8(ascii: "@") }

    var isRoot: Bool { text.utf8.count == 1 && !isSpecial }

    /// The path of the node above. Special paths stand below the root, as in the C daemon.
    var parent: StorePath {
        guard !isSpecial, let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")),
            slash != text.utf8.startIndex
        else { return .root }
        return StorePath(text: String(text[..<slash]))
    }

    func appending(_ name: String) -> StorePath {
        StorePath(text: isRoot ? "/" + name : text + "/" + name)
    }

    /// The names from the root down to the node.
    var names: PathNames { PathNames(text) }

    /// Gives the bytes of each name, from the root down, until `body` returns false. Without making
    /// a text of each: every request walks its path several times.
    func forEachName(_ body: (UnsafeBufferPointer<UInt8>) -> Bool) {
        withBytes(of: text) { bytes in
            var start = 1
            while start < bytes.count {
                var end = start
                while end < bytes.count, bytes[end] != UInt8(ascii: "/") { end += 1 }
                guard body(UnsafeBufferPointer(rebasing: bytes[start..<end])) else { return }
                start = end + 1
            }
        }
    }

    /// The name of the node among its siblings; empty for the root.
    var lastName: String {
        guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return text }
        return String(text[text.utf8.index(after: slash)...])
    }

    private static let homes = Array("/local/domain/".utf8)

    /// How many names it has.
    var depth: Int {
        isRoot || isSpecial ? 0 : text.utf8.reduce(0) { $0 + ($1 == UInt8(ascii: "/") ? 1 : 0) }
    }

    /// The bytes that the quota `path-max` counts: those below the home of a domain, whose prefix
    /// `/local/domain/<number>/` is free.
    var lengthBelowHome: Int {
        let home = Self.homes
        guard text.utf8.starts(with: home) else { return text.utf8.count }
        let rest = text.utf8.dropFirst(home.count)
        let digits = rest.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }.count
        guard digits > 0, digits <= 5, rest.dropFirst(digits).first == UInt8(ascii: "/") else {
            return text.utf8.count
        }
        return rest.count - digits - 1
    }
}

/// Cuts a path into its names.
struct PathNames: Sequence, IteratorProtocol {
    private let text: String
    /// Bytes of the text that are done with.
    private var position = 0

    init(_ text: String) {
        self.text = text
    }

    mutating func next() -> String? {
        // Indices of strings cost more than the names they cut out, and each request cuts its path
        // several times, so this goes over the bytes.
        let start = position
        let found = text.utf8.withContiguousStorageIfAvailable { bytes -> (String, Int)? in
            var start = start
            if start < bytes.count, bytes[start] == UInt8(ascii: "/") { start += 1 }
            guard start < bytes.count else { return nil }
            var end = start
            while end < bytes.count, bytes[end] != UInt8(ascii: "/") { end += 1 }
            let name = UnsafeBufferPointer(rebasing: bytes[start..<end])
            return (String(decoding: name, as: UTF8.self), end)
        }
        guard let found else { preconditionFailure("a native string has its bytes in a row") }
        guard let (name, end) = found else { return nil }
        position = end
        return name
    }
}
