/// What each module may import.
private let allowedImports: [String: Set<String>] = [
    "XenstoreProtocol": [],
    "XenstoreStore": ["XenstoreProtocol"],
    "ChangeNotification": ["Logging", "XenstoreProtocol"],
    "XenstoreFilesystem": ["ChangeNotification", "Logging", "XenstoreProtocol"],
    "Reactor": ["CAffinity", "CEpoll", "Glibc", "Synchronization", "SystemPackage"],
    "XenstoreClient": [
        "Reactor", "Glibc", "Logging", "Synchronization", "SystemPackage", "XenstoreProtocol",
    ],
    "XenstoreEmbedded": [
        "Reactor", "SystemPackage", "XenstoreClient", "XenstoreProtocol", "XenstoreStore",
    ],
    "XenstoreServer": ["Reactor", "SystemPackage", "XenstoreProtocol", "XenstoreStore"],
    "FuseAdapter": [
        "CFuse", "ChangeNotification", "Reactor", "Glibc", "Logging", "Synchronization",
        "SystemPackage", "XenstoreFilesystem",
    ],
    "xsfs": [
        "ArgumentParser", "Reactor", "FuseAdapter", "Glibc", "Logging", "Synchronization",
        "SystemPackage", "XenstoreClient", "XenstoreFilesystem", "XenstoreProtocol",
        "XenstoreServer", "XenstoreStore",
    ],
]

/// Modules that no file imports, of the tests neither.
private let bannedImports: Set<String> = ["Dispatch", "Foundation", "FoundationEssentials"]

/// The modules that import what their place allows, and nothing else.
func checkImports(_ file: SwiftFile) -> [Finding] {
    let allowed = file.module.map { allowedImports[$0] ?? [] }
    var findings: [Finding] = []
    for (index, line) in file.code.enumerated() {
        guard let match = line.firstMatch(of: /^\s*(?:@\w+ )*(?:\w+ )?import (?:\w+ )?(\w+)/) else {
            continue
        }
        let imported = String(match.1)
        let isAllowed = allowed?.contains(imported) ?? true
        if bannedImports.contains(imported) || !isAllowed {
            let place = file.module ?? "the tests"
            findings.append(Finding(file.path, index + 1, "\(place) must not import \(imported)"))
        }
    }
    return findings
}

/// No type has its module's name: a program that imports it could qualify no other name.
func checkTypeNames(_ file: SwiftFile) -> [Finding] {
    guard let module = file.module else { return [] }
    return file.findings("a type must not have the name of its module") {
        let match = file.code[$0].firstMatch(
            of: /^(?:\w+ )*(?:class|struct|enum|actor|protocol|typealias) (\w+)/
        )
        return match.map { $0.1 == module } ?? false
    }
}

/// What code of the product has no use for, and the instead.
private let bannedWords: [(pattern: String, what: String)] = [
    (#"\bTask \{"#, "a task starts on its loop: Task.immediate(executorPreference:)"),
    (#"\bTask\.detached\b"#, "a task starts on its loop: Task.immediate(executorPreference:)"),
    (#"\bTask\.sleep\b"#, "the loop has timers"),
    (#"@MainActor\b"#, "everything is on the loop, not on the main actor"),
    (#"\btry!"#, "an error is handled"),
    (#"\bfatalError\b"#, "a bug of ours is a preconditionFailure that says what is wrong"),
    (#"(?:^|[^.\w])print\("#, "what is said goes to the log"),
    (#"\bDispatchQueue\b"#, "there is one thread, the loop's"),
]

/// Words that stand in no code of the product.
func checkBannedWords(_ file: SwiftFile) throws -> [Finding] {
    var findings: [Finding] = []
    for (pattern, what) in bannedWords {
        // Not the boundaries of human words, of which a dot between letters is none.
        let expression = try Regex(pattern).wordBoundaryKind(.simple)
        findings += file.findings(what) { file.code[$0].contains(expression) }
    }
    return findings
        + file.findings("nothing is left to do in comments") {
            file.lines[$0].contains(/\b(TODO|FIXME|XXX)\b/)
        }
}

/// Where the compiler's check of threads is switched off, a comment says why that is right.
func checkUncheckedSendable(_ file: SwiftFile) -> [Finding] {
    var findings: [Finding] = []
    for index in file.code.indices where file.code[index].contains("@unchecked Sendable") {
        if file.module != "Reactor" && file.module != "FuseAdapter" {
            findings.append(
                Finding(
                    file.path,
                    index + 1,
                    "@unchecked Sendable is for Reactor and FuseAdapter"
                )
            )
        }
        let comment = file.lines[..<index].reversed().prefix { $0.trimmed.hasPrefix("//") }
        if !comment.contains(where: { $0.trimmed.hasPrefix("// Sendable:") }) {
            let what = "@unchecked Sendable needs a comment above that begins `// Sendable:`"
            findings.append(Finding(file.path, index + 1, what))
        }
    }
    return findings
}
