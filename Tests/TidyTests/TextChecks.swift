/// A page has one title, and its links lead somewhere.
func checkPage(
    _ path: String,
    _ text: String,
    exists: (_ path: String) -> Bool
) -> [Finding] {
    var findings: [Finding] = []
    var titles = 0
    var isInCode = false
    for (index, line) in text.lines.enumerated() {
        if line.trimmed.hasPrefix("```") { isInCode.toggle() }
        if isInCode { continue }
        if line.hasPrefix("# ") { titles += 1 }
        // What is between backquotes is no link.
        let prose = line.replacing(/`[^`]*`/, with: "")
        for match in prose.matches(of: /\]\(([^)\s]+)\)/) {
            let target = String(match.1)
            if target.contains("://") || target.hasPrefix("#") || target.hasPrefix("mailto:") {
                continue
            }
            if !exists(resolve(target, from: path)) {
                findings.append(Finding(path, index + 1, "\(target) leads nowhere"))
            }
        }
    }
    if titles != 1 { findings.append(Finding(path, 0, "\(titles) titles; a page has one")) }
    return findings
}

/// The path in the repository that a relative link of a page means.
private func resolve(_ target: String, from page: String) -> String {
    var parts = page.split(separator: "/").dropLast()
    for part in target.prefix(while: { $0 != "#" }).split(separator: "/") {
        switch part {
        case ".": break
        case "..": parts = parts.dropLast()
        default: parts.append(part)
        }
    }
    return parts.joined(separator: "/")
}

/// Places that only one developer's machine has.
func checkMachinePaths(_ path: String, _ text: String) throws -> [Finding] {
    // In pieces, or it would find itself.
    let places = ["work", "root", "Users", "home/\\w+"].joined(separator: "|")
    let expression = try Regex("(?:^|[^\\w./$}-])/(?:\(places))(?![\\w-])")
    return text.lines.enumerated()
        .filter { $0.element.utf8.contains(UInt8(ascii: "/")) && $0.element.contains(expression) }
        .map { Finding(path, $0.offset + 1, "a path of one machine") }
}
