/// A Swift file, and the same with comments and the contents of strings blanked.
struct SwiftFile {
    let path: String
    let lines: [String]
    /// `lines` with blanks for comments and for what is in string literals.
    let code: [String]
    /// Whether a line begins inside a string of several lines.
    let beginsInText: [Bool]

    init(path: String, text: String) {
        var blanker = Blanker(text)
        blanker.run()
        self.path = path
        lines = text.lines
        code = blanker.code.lines
        beginsInText = blanker.beginsInText
    }

    /// The module of a path `Sources/MODULE/...`; nil elsewhere.
    var module: String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }

    var name: String { path.split(separator: "/").last.map(String.init) ?? path }
}

extension String {
    /// The lines, without what follows the last newline if that is nothing.
    var lines: [String] {
        var lines = split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    var trimmed: String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " }.reversed())
    }
}

/// Walks over Swift text just closely enough to tell code from comments and strings.
private struct Blanker {
    private enum Place {
        case code
        case lineComment
        case blockComment(depth: Int)
        /// In a string whose end has so many quotes.
        case string(quotes: Int)
        /// In the code of an interpolation, with so many parentheses open.
        case interpolation(open: Int)
    }

    private static let newline = UInt8(ascii: "\n")

    private let text: [UInt8]
    private var index = 0
    private var places: [Place] = [.code]
    private var kept: [UInt8] = []
    private(set) var beginsInText: [Bool] = [false]

    init(_ text: String) {
        self.text = Array(text.utf8)
    }

    var code: String { String(decoding: kept, as: UTF8.self) }

    mutating func run() {
        while index < text.count {
            switch places.last {
            case .lineComment: lineComment()
            case .blockComment(let depth): blockComment(depth)
            case .string(let quotes): string(quotes)
            case .interpolation, .code, nil: plain()
            }
        }
    }

    private func sees(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard index + count <= text.count else { return false }
        return (0..<count).allSatisfy { text[index + $0] == word.utf8Start[$0] }
    }

    private mutating func take(_ count: Int, keeping: Bool) {
        for byte in text[index..<min(index + count, text.count)] {
            kept.append(keeping || byte == Self.newline ? byte : UInt8(ascii: " "))
            if byte == Self.newline {
                if case .string = places.last {
                    beginsInText.append(true)
                } else {
                    beginsInText.append(false)
                }
            }
        }
        index += count
    }

    private mutating func replaceLast(_ place: Place) {
        places[places.count - 1] = place
    }

    private mutating func plain() {
        if sees("//") {
            places.append(.lineComment)
        } else if sees("/*") {
            places.append(.blockComment(depth: 0))
        } else if sees("\"\"\"") {
            take(3, keeping: true)
            places.append(.string(quotes: 3))
        } else if sees("\"") {
            take(1, keeping: true)
            places.append(.string(quotes: 1))
        } else {
            if case .interpolation(let open) = places.last { countParentheses(open) }
            take(1, keeping: true)
        }
    }

    private mutating func countParentheses(_ open: Int) {
        if sees("(") {
            replaceLast(.interpolation(open: open + 1))
        } else if sees(")"), open == 1 {
            places.removeLast()
        } else if sees(")") {
            replaceLast(.interpolation(open: open - 1))
        }
    }

    private mutating func lineComment() {
        if sees("\n") { places.removeLast() }
        take(1, keeping: false)
    }

    private mutating func blockComment(_ depth: Int) {
        if sees("/*") {
            replaceLast(.blockComment(depth: depth + 1))
            take(2, keeping: false)
        } else if sees("*/") {
            if depth == 1 {
                places.removeLast()
            } else {
                replaceLast(.blockComment(depth: depth - 1))
            }
            take(2, keeping: false)
        } else {
            take(1, keeping: false)
        }
    }

    private mutating func string(_ quotes: Int) {
        let isAtEnd = quotes == 3 ? sees("\"\"\"") : sees("\"")
        if sees("\\(") {
            take(2, keeping: true)
            places.append(.interpolation(open: 1))
        } else if sees("\\") {
            take(2, keeping: false)
        } else if isAtEnd {
            places.removeLast()
            take(quotes, keeping: true)
        } else {
            take(1, keeping: false)
        }
    }
}
