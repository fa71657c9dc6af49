import XenstoreProtocol

/// What commands say with `--json`.
enum JSONText {
    /// A text in quotes.
    static func string(_ text: some StringProtocol) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case "\0"..<" ", "\u{7F}":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// A value: a string if it is UTF-8, and else `{"base64": "..."}`, so that no byte is lost.
    static func value(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return string(text) }
        return "{\"base64\": \"\(base64(bytes))\"}"
    }

    /// Permissions, as a list of their entries.
    static func permissions(_ permissions: Permissions) -> String {
        list(permissions.allEntries.map { string($0.description) })
    }

    /// A list of what is JSON already.
    static func list(_ elements: [String]) -> String {
        "[" + elements.joined(separator: ",") + "]"
    }

    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )

    private static func base64(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0..<4 {
                let isPadding = place > group.count
                let index = bits >> (6 * (3 - place)) & 63
                text.append(isPadding ? UInt8(ascii: "=") : alphabet[index])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// An object of JSON, written member by member.
struct JSONObject {
    private let output: Output
    private var isEmpty = true

    init(_ output: Output) throws(CommandError) {
        self.output = output
        try output.write("{")
    }

    /// Writes a member, whose value is JSON already.
    mutating func add(_ name: String, _ value: String) throws(CommandError) {
        try output.write("\(isEmpty ? "" : ",")\n  \(JSONText.string(name)): \(value)")
        isEmpty = false
    }

    func end() throws(CommandError) {
        try output.write(isEmpty ? "}\n" : "\n}\n")
    }
}
