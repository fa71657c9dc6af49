let maximumColumns = 100
let maximumFileLines = 500
let maximumFunctionLines = 70

/// Lines that do not fit. A line that is text alone cannot be broken.
func checkColumns(_ file: SwiftFile) -> [Finding] {
    file.findings("longer than \(maximumColumns) columns") { index in
        file.lines[index].count > maximumColumns
            && !file.beginsInText[index]
            && !file.lines[index].trimmed.hasPrefix("\"")
    }
}

func checkFileLength(_ file: SwiftFile) -> [Finding] {
    guard file.lines.count > maximumFileLines else { return [] }
    return [Finding(file.path, 0, "\(file.lines.count) lines; \(maximumFileLines) are the most")]
}

/// Functions, initialisers and properties with more lines than fit a screen. The lines of a text
/// do not count.
func checkFunctionLengths(_ file: SwiftFile) -> [Finding] {
    var findings: [Finding] = []
    for start in file.code.indices where isDeclarationOfCode(file.code[start]) {
        guard let end = lastLine(of: start, in: file.code) else { continue }
        let count = (start...end).count { !file.beginsInText[$0] }
        if count > maximumFunctionLines {
            let what = "\(count) lines in one function; \(maximumFunctionLines) are the most"
            findings.append(Finding(file.path, start + 1, what))
        }
    }
    return findings
}

private func isDeclarationOfCode(_ line: String) -> Bool {
    line.contains(/^\s*(?:[@\w()]+ )*(?:func |init[?(<]|deinit\b|subscript\b|var \w+: .*\{\s*$)/)
}

/// The line where the braces that begin on or after a line close.
private func lastLine(of start: Int, in code: [String]) -> Int? {
    var depth = 0
    var parentheses = 0
    var hasBegun = false
    for index in start..<code.count {
        for character in code[index] {
            switch character {
            case "(": parentheses += 1
            case ")": parentheses -= 1
            case "{":
                // Braces of a default argument come before those of the body.
                if parentheses == 0 || hasBegun { depth += 1 }
                if parentheses == 0 { hasBegun = true }
            case "}":
                if parentheses == 0 || hasBegun { depth -= 1 }
                if depth < 0 { return nil }
                if hasBegun && depth == 0 { return index }
            default: break
            }
        }
        // A requirement of a protocol has no body: the next line is another declaration.
        if !hasBegun, parentheses == 0, index + 1 < code.count {
            let next = code[index + 1].trimmed
            if next.isEmpty || next.hasPrefix("}") { return nil }
        }
    }
    return nil
}

/// Public types, and public functions that no protocol of ours describes.
func checkDocumentation(_ files: [SwiftFile]) -> [Finding] {
    let described = Set(files.flatMap(requirements))
    let publicDeclaration =
        #/
        ^\s* (?:@\w+\s)* public\s
        (?: (?:final|static|mutating|indirect|nonisolated) \s )*
        (struct|class|enum|protocol|actor|typealias|func) \s ([^\s(<:]+)
        /#
    var findings: [Finding] = []
    for file in files {
        for (index, line) in file.code.enumerated() {
            guard let match = line.firstMatch(of: publicDeclaration) else { continue }
            let name = String(match.2)
            if match.1 == "func", described.contains(name) || isOperator(name) { continue }
            if !hasDocumentation(file, above: index) {
                findings.append(Finding(file.path, index + 1, "public \(name) says not what it is"))
            }
        }
    }
    return findings
}

private func isOperator(_ name: String) -> Bool { !(name.first?.isLetter ?? false) }

private func hasDocumentation(_ file: SwiftFile, above index: Int) -> Bool {
    file.lines[..<index].reversed()
        .prefix { $0.trimmed.hasPrefix("//") || $0.trimmed.hasPrefix("@") }
        .contains { $0.trimmed.hasPrefix("///") }
}

/// The functions of protocols that have a comment there, one level deep.
private func requirements(_ file: SwiftFile) -> [String] {
    var names: [String] = []
    var isInProtocol = false
    for (index, line) in file.code.enumerated() {
        if line.contains(/\bprotocol \w+.*\{/) { isInProtocol = true }
        if line.hasPrefix("}") { isInProtocol = false }
        if isInProtocol, let match = line.firstMatch(of: /^    (?:mutating )?func (\w+)/),
            hasDocumentation(file, above: index)
        {
            names.append(String(match.1))
        }
    }
    return names
}
