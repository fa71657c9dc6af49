/// How `xenstore-ls` writes the bytes of a value.
enum ListingEscapes {
    private static let backslash = UInt8(ascii: "\\")

    /// Appends one byte of a value as `xenstore-ls` prints it.
    static func append(_ byte: UInt8, to text: inout [UInt8]) {
        switch byte {
        case backslash: text.append(contentsOf: [backslash, backslash])
        case UInt8(ascii: " ")...UInt8(ascii: "~"): text.append(byte)
        case UInt8(ascii: "\t"): text.append(contentsOf: [backslash, UInt8(ascii: "t")])
        case UInt8(ascii: "\n"): text.append(contentsOf: [backslash, UInt8(ascii: "n")])
        case UInt8(ascii: "\r"): text.append(contentsOf: [backslash, UInt8(ascii: "r")])
        default:
            // The tool writes the first eight in octal and the others in hexadecimal digits.
            let digits = String(byte, radix: byte < 8 ? 8 : 16)
            text.append(backslash)
            if byte >= 8 { text.append(UInt8(ascii: "x")) }
            let width = byte < 8 ? 3 : 2
            text.append(
                contentsOf: repeatElement(UInt8(ascii: "0"), count: width - digits.utf8.count)
            )
            text.append(contentsOf: digits.utf8)
        }
    }

    /// Takes the escapes out of a value.
    static func parse(
        _ text: ArraySlice<UInt8>
    ) throws(StoreListing.ParseError.Reason) -> [UInt8] {
        var value: [UInt8] = []
        value.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == backslash else {
                value.append(byte)
                continue
            }
            value.append(try parseEscape(&rest))
        }
        return value
    }

    /// Parses what follows a backslash.
    private static func parseEscape(
        _ rest: inout ArraySlice<UInt8>
    ) throws(StoreListing.ParseError.Reason) -> UInt8 {
        guard let kind = rest.popFirst() else { throw .escape }
        switch kind {
        case UInt8(ascii: "t"): return UInt8(ascii: "\t")
        case UInt8(ascii: "n"): return UInt8(ascii: "\n")
        case UInt8(ascii: "r"): return UInt8(ascii: "\r")
        case backslash: return backslash
        case UInt8(ascii: "x"): return try number(&rest, "", digits: 2, radix: 16)
        case UInt8(ascii: "0")...UInt8(ascii: "3"):
            let first = String(UnicodeScalar(kind))
            return try number(&rest, first, digits: 2, radix: 8)
        default: throw .escape
        }
    }

    private static func number(
        _ rest: inout ArraySlice<UInt8>,
        _ first: String,
        digits: Int,
        radix: Int
    ) throws(StoreListing.ParseError.Reason) -> UInt8 {
        let text = rest.prefix(digits)
        rest = rest.dropFirst(digits)
        let isNumber = text.allSatisfy { $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }
        guard text.count == digits, isNumber,
            let number = UInt8(first + String(decoding: text, as: UTF8.self), radix: radix)
        else { throw .escape }
        return number
    }
}
