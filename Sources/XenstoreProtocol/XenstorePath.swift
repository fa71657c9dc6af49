/// Why a path is not one.
public enum PathError: Error, Hashable, Sendable, CustomStringConvertible {
    case empty
    /// A byte outside `A-Za-z0-9-_@/`.
    case illegalCharacter(UInt8)
    /// Two slashes in a row, or one at the end of anything but the root.
    case emptyComponent
    /// More bytes than ``ProtocolLimits`` allows for its kind.
    case tooLong

    public var description: String {
        switch self {
        case .empty: "it is empty"
        case .illegalCharacter(let byte) where byte > 32 && byte < 127:
            "no key has a '\(Character(UnicodeScalar(byte)))' in its name"
        case .illegalCharacter(let byte): "no key has a byte \(byte) in its name"
        case .emptyComponent: "two slashes in a row, or one at the end"
        case .tooLong: "too long"
        }
    }
}

/// A legal path of the store: absolute, relative to the caller's domain, or special (`@...`).
public struct XenstorePath: Hashable, Sendable, CustomStringConvertible {
    /// The path as it goes over the wire; ASCII.
    public let text: String

    /// The root of the store.
    public static let root = XenstorePath(unchecked: "/")

    /// The special watch path of new domains.
    public static let introduceDomain = XenstorePath(unchecked: "@introduceDomain")

    /// The special watch path of domains that end.
    public static let releaseDomain = XenstorePath(unchecked: "@releaseDomain")

    /// Checks and takes a path.
    ///
    /// - Throws: ``PathError``, by the rules of `docs/misc/xenstore.txt`.
    public init(_ text: String) throws(PathError) {
        try Self.check(text.utf8)
        self.text = text
    }

    /// Checks and takes the bytes of a path, as they come over the wire.
    public init(bytes: some Collection<UInt8>) throws(PathError) {
        try Self.check(bytes)
        self.text = String(decoding: bytes, as: UTF8.self)
    }

    /// The longest legal path above one that is too long; nil where it has none.
    init?(longestAncestorOf bytes: ArraySlice<UInt8>) {
        let slash = UInt8(ascii: "/")
        // One more than the limit: the name that ends there has a slash behind it.
        let start = bytes.prefix(Self.limit(bytes) + 1)
        guard let end = start.lastIndex(of: slash) else { return nil }
        guard let path = try? XenstorePath(bytes: end == start.startIndex ? [slash] : start[..<end])
        else { return nil }
        self = path
    }

    /// Takes a text that the caller knows to be a legal path.
    package init(unchecked text: String) {
        self.text = text
    }

    public var description: String { text }

    public var isAbsolute: Bool { text.utf8.first == UInt8(ascii: "/") }

    public var isSpecial: Bool { text.utf8.first == UInt8(ascii: "@") }

    public var isRoot: Bool { text.utf8.count == 1 && isAbsolute }

    /// The names from the root, or from the caller's domain, down to the key.
    public var components: [Substring] {
        // By bytes: all are ASCII, and need not be put together to characters first.
        text.utf8.split(separator: UInt8(ascii: "/")).map(Substring.init)
    }

    /// The path of the child `name` of this key.
    ///
    /// - Throws: ``PathError`` where `name` is not one legal name, or the whole gets too long.
    public func appending(_ name: String) throws(PathError) -> XenstorePath {
        guard !name.utf8.contains(UInt8(ascii: "/")) else { throw .emptyComponent }
        return try XenstorePath(isRoot ? "/" + name : text + "/" + name)
    }

    /// Whether the path of a child of this name is not too long.
    package func hasRoom(for name: String) -> Bool {
        let slashes = isRoot ? 0 : 1
        return text.utf8.count + slashes + name.utf8.count <= Self.limit(text.utf8)
    }

    /// The path of the key that holds this one; nil for the root and for a single relative name.
    public var parent: XenstorePath? {
        guard !isRoot, let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        if slash == text.utf8.startIndex { return .root }
        return XenstorePath(unchecked: String(text[..<slash]))
    }

    /// Whether `other` is this path or below it.
    public func contains(_ other: XenstorePath) -> Bool {
        if isRoot { return other.isAbsolute }
        guard other.text.utf8.starts(with: text.utf8) else { return false }
        let rest = other.text.utf8.dropFirst(text.utf8.count)
        return rest.isEmpty || rest.first == UInt8(ascii: "/")
    }

    /// Whether a byte may stand in the name of a key.
    public static func isLegalInName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "@"):
            true
        default:
            false
        }
    }

    /// Bytes of the longest path that begins like this one.
    private static func limit(_ bytes: some Collection<UInt8>) -> Int {
        bytes.first == UInt8(ascii: "/")
            ? ProtocolLimits.absolutePathSize : ProtocolLimits.relativePathSize
    }

    private static func check(_ bytes: some Collection<UInt8>) throws(PathError) {
        guard !bytes.isEmpty else { throw .empty }
        let slash = UInt8(ascii: "/")
        guard bytes.count <= limit(bytes) else { throw .tooLong }
        var previous: UInt8 = 0
        for byte in bytes {
            guard byte == slash || isLegalInName(byte) else { throw .illegalCharacter(byte) }
            guard byte != slash || previous != slash else { throw .emptyComponent }
            previous = byte
        }
        guard previous != slash || bytes.count == 1 else { throw .emptyComponent }
    }
}
