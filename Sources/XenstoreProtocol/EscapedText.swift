/// Values as text in which every byte can be written, as the tools of Xen do: `\t`, `\n`, `\r`,
/// `\\`, `\001`, `\x7f`.
package enum EscapedText {
    private static let backslash = UInt8(ascii: "\\")

    /// The bytes of a value as printable ASCII.
    package static func escape(_ value: some Collection<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(value.count)
        for byte in value { append(byte, to: &text) }
        return text
    }

    /// Appends one byte of a value as `xenstore-ls` prints it: the first eight in octal, the others
    /// in hexadecimal digits.
    package static func append(_ byte: UInt8, to text: inout [UInt8]) {
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

    /// Takes the escapes out, as `xenstore-write` does: what follows a backslash and is no escape
    /// stands for itself, and a backslash at the end is a NUL.
    package static func unescape(_ text: some StringProtocol) -> [UInt8] {
        decode(Array(text.utf8)[...], isStrict: false) ?? []
    }

    /// Takes the escapes out of what ``append(_:to:)`` has written; nil for any other escape.
    package static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        decode(text, isStrict: true)
    }

    private static func decode(_ text: ArraySlice<UInt8>, isStrict: Bool) -> [UInt8]? {
        var value: [UInt8] = []
        value.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == backslash else {
                value.append(byte)
                continue
            }
            guard let byte = takeEscape(&rest, isStrict: isStrict) else { return nil }
            value.append(byte)
        }
        return value
    }

    /// Takes what follows a backslash; nil where that is strictly none.
    private static func takeEscape(_ rest: inout ArraySlice<UInt8>, isStrict: Bool) -> UInt8? {
        guard let kind = rest.first else { return isStrict ? nil : 0 }
        switch kind {
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            let (number, count) = takeNumber(&rest, digits: 3, radix: 8)
            guard isStrict else { return UInt8(truncatingIfNeeded: number) }
            return count == 3 ? UInt8(exactly: number) : nil
        case UInt8(ascii: "x"):
            rest.removeFirst()
            let (number, count) = takeNumber(&rest, digits: 2, radix: 16)
            guard isStrict || count == 0 else { return UInt8(truncatingIfNeeded: number) }
            guard isStrict else { return kind }
            return count == 2 ? UInt8(exactly: number) : nil
        default:
            rest.removeFirst()
            switch kind {
            case UInt8(ascii: "t"): return UInt8(ascii: "\t")
            case UInt8(ascii: "n"): return UInt8(ascii: "\n")
            case UInt8(ascii: "r"): return UInt8(ascii: "\r")
            default: return isStrict && kind != backslash ? nil : kind
            }
        }
    }

    /// Takes at most so many digits.
    private static func takeNumber(
        _ rest: inout ArraySlice<UInt8>,
        digits: Int,
        radix: Int
    ) -> (number: Int, count: Int) {
        var number = 0
        var count = 0
        while count < digits, let byte = rest.first, byte < 0x80,
            let value = Character(UnicodeScalar(byte)).hexDigitValue, value < radix
        {
            number = number * radix + value
            count += 1
            rest.removeFirst()
        }
        return (number, count)
    }
}
