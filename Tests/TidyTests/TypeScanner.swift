/// A declaration or an extension of a type, as ``TypeScanner`` finds it.
struct TypePart {
    /// With the names of the types that it is in.
    let name: String
    let isExtension: Bool
    /// From 1 on.
    let line: Int
    /// Stored properties of an instance, but for the options of a command.
    var properties = 0
    /// Those that change.
    var variables = 0
}

/// Walks over the code of a file for its types and their stored properties.
///
/// It knows Swift as swift-format writes it: a declaration begins a line, and its brace ends one.
struct TypeScanner {
    /// What is in braces.
    private struct Scope {
        /// Where in `parts` the type is; nil in a body or a closure.
        var part: Int?
        var storesProperties = false
        /// Parentheses and brackets that are open around the braces.
        let outerParentheses: Int
    }

    private static let modifiers: Set<Substring> = [
        "public", "package", "internal", "fileprivate", "private", "open", "final", "indirect",
        "lazy", "weak", "unowned", "nonisolated", "override", "dynamic", "distributed",
    ]
    private static let keywords: Set<Substring> = [
        "struct", "class", "actor", "enum", "protocol", "extension", "var", "let",
    ]
    /// What makes a property an option of a command.
    private static let optionWrappers: Set<Substring> = [
        "@Option", "@Flag", "@Argument", "@OptionGroup",
    ]

    private let code: [String]
    private var parts: [TypePart] = []
    private var scopes: [Scope] = []
    private var parentheses = 0
    /// The type whose braces are to come, and whether it stores properties.
    private var pending: (part: Int, storesProperties: Bool)?
    /// Whether an option's attribute was last, and its property is to come.
    private var isOption = false

    private init(_ file: SwiftFile) { code = file.code }

    static func parts(of file: SwiftFile) -> [TypePart] {
        var scanner = TypeScanner(file)
        for index in scanner.code.indices { scanner.scan(index) }
        return scanner.parts
    }

    private mutating func scan(_ index: Int) {
        if parentheses == 0, pending == nil { scanDeclaration(index) }
        for byte in code[index].utf8 {
            switch byte {
            case UInt8(ascii: "("), UInt8(ascii: "["): parentheses += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): parentheses -= 1
            case UInt8(ascii: "{"): open()
            case UInt8(ascii: "}"): close()
            default: break
            }
        }
    }

    private mutating func open() {
        var scope = Scope(outerParentheses: parentheses)
        if parentheses == 0, let type = pending {
            scope.part = type.part
            scope.storesProperties = type.storesProperties
            pending = nil
        }
        scopes.append(scope)
        parentheses = 0
    }

    private mutating func close() {
        parentheses = scopes.popLast()?.outerParentheses ?? 0
    }

    private mutating func scanDeclaration(_ index: Int) {
        var words = code[index].split { $0 == " " }[...]
        while let word = words.first {
            let name = word.prefix { $0 != "(" }
            guard word.hasPrefix("@") || Self.modifiers.contains(name) else { break }
            if Self.optionWrappers.contains(name) { isOption = true }
            words.removeFirst()
            // An attribute may have arguments: up to the parenthesis that ends them.
            var open = word.count { $0 == "(" } - word.count { $0 == ")" }
            while open > 0, let word = words.popFirst() {
                open += word.count { $0 == "(" } - word.count { $0 == ")" }
            }
        }
        guard let keyword = words.popFirst(), Self.keywords.contains(keyword) else { return }
        let name = words.first?.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
        guard let name, !name.isEmpty, name != "func", name != "var" else { return }
        if keyword == "var" || keyword == "let" {
            countProperty(index, isVariable: keyword == "var")
        } else {
            let outer = scopes.last?.part.map { parts[$0].name + "." } ?? ""
            parts.append(
                TypePart(
                    name: outer + name,
                    isExtension: keyword == "extension",
                    line: index + 1
                )
            )
            let stores = keyword == "struct" || keyword == "class" || keyword == "actor"
            pending = (parts.count - 1, stores)
        }
    }

    private mutating func countProperty(_ index: Int, isVariable: Bool) {
        defer { isOption = false }
        guard let scope = scopes.last, scope.storesProperties, let part = scope.part,
            !isOption, isStored(index)
        else { return }
        parts[part].properties += 1
        if isVariable { parts[part].variables += 1 }
    }

    /// Whether no braces follow the property's type, or those of observers.
    private func isStored(_ index: Int) -> Bool {
        guard let mark = code[index].first(where: { $0 == "=" || $0 == "{" }), mark == "{" else {
            return true
        }
        let inside = code[index].drop { $0 != "{" }.dropFirst()
        let next = index + 1 < code.count ? code[index + 1] : ""
        let first = (inside + " " + next).split { $0 == " " }.first ?? ""
        return first == "didSet" || first == "willSet"
    }
}
