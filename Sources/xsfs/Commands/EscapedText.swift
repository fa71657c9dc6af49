/// Values as text in which every byte can be written, as the tools of Xen do: `\t`, `\n`, `\r`,
/// `\\`, `\001`, `\x7f`.
enum EscapedText {
    private static let backslash = UInt8(ascii: "\\")

    /// The bytes of a value as printable ASCII.
    static func escape(_ value: some Collection<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(value.count)
        for byte in value { append(byte, to: &text) }
        return text
    }

    private static func append(_ byte: UInt8, to text: inout [UInt8]) {
        switch byte {
        case backslash: text += [backslash, backslash]
        case UInt8(ascii: " ")...UInt8(ascii: "~"): text.append(byte)
        case UInt8(ascii: "\t"): text += [backslash, UInt8(ascii: "t")]
        case UInt8(ascii: "\n"): text += [backslash, UInt8(ascii: "n")]
        case UInt8(ascii: "\r"): text += [backslash, UInt8(ascii: "r")]
        case 0..<8: text += [backslash, 0x30, 0x30, 0x30 + byte]
        default: text += [backslash, UInt8(ascii: "x"), digit(byte >> 4), digit(byte & 15)]
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 + value : UInt8(ascii: "a") + value - 10
    }

    /// Takes the escapes out. What follows a backslash and is no escape stands for itself; a
    /// backslash at the end is a NUL, as it is to `xenstore-write`.
    static func unescape(_ text: String) -> [UInt8] {
        var value: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            value.append(byte == backslash ? takeEscape(&rest) : byte)
        }
        return value
    }

    private static func takeEscape(_ rest: inout ArraySlice<UInt8>) -> UInt8 {
        guard let kind = rest.first else { return 0 }
        switch kind {
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            return takeNumber(&rest, digits: 3, radix: 8) ?? kind
        case UInt8(ascii: "x"):
            rest.removeFirst()
            return takeNumber(&rest, digits: 2, radix: 16) ?? kind
        default:
            rest.removeFirst()
            switch kind {
            case UInt8(ascii: "t"): return UInt8(ascii: "\t")
            case UInt8(ascii: "n"): return UInt8(ascii: "\n")
            case UInt8(ascii: "r"): return UInt8(ascii: "\r")
            default: return kind
            }
        }
    }

    /// Takes at most so many digits; nil where there is none. What does not fit a byte is cut.
    private static func takeNumber(
        _ rest: inout ArraySlice<UInt8>,
        digits: Int,
        radix: Int
    ) -> UInt8? {
        var number: Int?
        for _ in 0..<digits {
            guard let byte = rest.first, byte < 0x80,
                let value = Character(UnicodeScalar(byte)).hexDigitValue, value < radix
            else { break }
            number = (number ?? 0) * radix + value
            rest.removeFirst()
        }
        return number.map { UInt8(truncatingIfNeeded: $0) }
    }
}
