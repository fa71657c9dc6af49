public import XenstoreProtocol

/// The keys of a store as `xenstore-ls -f` or `xenstore-ls -fp` prints them, one a line:
/// `/path = "value"` and, with `-p`, three blanks and `(n0,r1)`.
///
/// Values stand in quotes, which themselves are not escaped; bytes that cannot be printed are
/// `\n`, `\r`, `\t`, `\ooo` or `\xhh`, and a backslash is `\\`. A key whose value could not be read
/// is `/path:`, with its permissions on a line of their own.
public struct StoreListing: Hashable, Sendable {
    /// One key.
    public struct Entry: Hashable, Sendable {
        /// Absolute.
        public var path: XenstorePath
        public var value: [UInt8]
        /// Nil where the text does not tell: the key has its parent's.
        public var permissions: Permissions?

        public init(path: XenstorePath, value: [UInt8], permissions: Permissions? = nil) {
            self.path = path
            self.value = value
            self.permissions = permissions
        }
    }

    /// Why a text is not a listing.
    public struct ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        /// What is missing, or wrong, in a line.
        public enum Reason: String, Hashable, Sendable {
            case path = "no legal absolute path at its beginning"
            case form = "neither ' = \"' nor ':' after the path"
            case quote = "no quote that ends the value"
            case escape = "a backslash that begins no escape"
            case permissions = "no permissions where they should stand"
            case valueTooLong = "a value that no message can hold"
        }

        /// Counts from 1.
        public var line: Int
        public var reason: Reason

        public init(line: Int, reason: Reason) {
            self.line = line
            self.reason = reason
        }

        public var description: String { "line \(line): \(reason.rawValue)" }
    }

    /// In the order of the text, which is that of the creation.
    public var entries: [Entry]

    public init(entries: [Entry]) {
        self.entries = entries
    }

    /// Parses the text of a listing. Empty lines count for nothing.
    public init(parsing text: String) throws(ParseError) {
        try self.init(parsing: Array(text.utf8))
    }

    /// Parses the bytes of a listing. Empty lines count for nothing.
    public init(parsing bytes: [UInt8]) throws(ParseError) {
        entries = []
        var number = 0
        let lines = bytes.split(
            separator: UInt8(ascii: "\n"),
            omittingEmptySubsequences: false
        )
        for line in lines {
            number += 1
            do throws(ParseError.Reason) {
                try parse(line)
            } catch {
                throw ParseError(line: number, reason: error)
            }
        }
    }

    /// What `xenstore-ls -fp` prints, or `xenstore-ls -f` where entries have no permissions.
    public var text: String {
        var bytes: [UInt8] = []
        for entry in entries {
            bytes.append(contentsOf: entry.path.text.utf8)
            bytes.append(contentsOf: " = \"".utf8)
            for byte in entry.value { EscapedText.append(byte, to: &bytes) }
            bytes.append(UInt8(ascii: "\""))
            if let permissions = entry.permissions {
                bytes.append(contentsOf: "   (\(permissions))".utf8)
            }
            bytes.append(UInt8(ascii: "\n"))
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func parse(_ line: ArraySlice<UInt8>) throws(ParseError.Reason) {
        guard let first = line.first else { return }
        if first == UInt8(ascii: " ") {
            // The permissions of a key whose value could not be read.
            guard let last = entries.indices.last, entries[last].permissions == nil else {
                throw .permissions
            }
            entries[last].permissions = try Self.permissions(line)
            return
        }
        let text = line.prefix { XenstorePath.isLegalInName($0) || $0 == UInt8(ascii: "/") }
        guard let path = try? XenstorePath(bytes: text), path.isAbsolute else { throw .path }
        let rest = line[text.endIndex...]
        if rest.elementsEqual(":".utf8) {
            entries.append(Entry(path: path, value: []))
            return
        }
        let opening = " = \"".utf8
        guard rest.starts(with: opening) else { throw .form }
        // Quotes in values are not escaped, so the value ends at the last quote.
        guard let quote = rest.lastIndex(of: UInt8(ascii: "\"")),
            quote >= rest.startIndex + opening.count
        else { throw .quote }
        let escaped = rest[(rest.startIndex + opening.count)..<quote]
        guard let value = EscapedText.decode(escaped) else { throw .escape }
        guard value.count <= ProtocolLimits.payloadSize else { throw .valueTooLong }
        let tail = rest[(quote + 1)...]
        let hasPermissions = tail.contains { $0 != UInt8(ascii: " ") }
        let permissions = hasPermissions ? try Self.permissions(tail) : nil
        entries.append(Entry(path: path, value: value, permissions: permissions))
    }

    /// Parses permissions in parentheses, after blanks.
    private static func permissions(
        _ text: ArraySlice<UInt8>
    ) throws(ParseError.Reason) -> Permissions {
        // Between value and permissions, `xenstore-ls -p` without `-f` prints a line of dots.
        let trimmed = text.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: ".") }
        guard trimmed.first == UInt8(ascii: "("), trimmed.last == UInt8(ascii: ")"),
            let permissions = Permissions(text: trimmed.dropFirst().dropLast())
        else { throw .permissions }
        return permissions
    }
}

extension StoreListing.ParseError.Reason: Error {}
