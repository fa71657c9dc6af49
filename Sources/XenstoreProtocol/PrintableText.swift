extension StringProtocol {
    /// The text as a person may be shown it, in one line: what would move the cursor, change the
    /// terminal or the order of letters is written as `\n`, `\x1b` or `\u{202e}`.
    ///
    /// Names, values and arguments may hold anything, and so may what a store answers.
    package var printable: String {
        guard unicodeScalars.contains(where: \.isUnprintable) else { return String(self) }
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where !scalar.isUnprintable: text.unicodeScalars.append(scalar)
            case _ where scalar.isASCII:
                text += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: text += "\\u{" + String(scalar.value, radix: 16) + "}"
            }
        }
        return text
    }
}

extension Unicode.Scalar {
    fileprivate var isUnprintable: Bool {
        if isASCII { return value < 0x20 || value == 0x7f }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
