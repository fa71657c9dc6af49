let maximumProperties = 12

/// Types that may have more stored properties, and why. The names begin with the module's.
let manyProperties: [String: String] = [
    "XenstoreFilesystem.FilesystemEnvironment": "a closure for each thing outside that it needs",
    "XenstoreFilesystem.KeyNode": "one for each key that the kernel knows: packed, byte by byte",
]

/// Types with variables that other files of their module extend, and why.
let spreadTypes: [String: String] = [:]

/// What a check makes of all types, by their names with the module's in front.
private struct Type {
    let path: String
    let declaration: TypePart
    /// Where another file of the module extends it.
    var extensions: [(path: String, line: Int)] = []
}

/// Types with more stored properties than one can keep in mind: what belongs together can be a type
/// that owns it.
func checkProperties(_ files: [SwiftFile], except exceptions: [String: String]) -> [Finding] {
    findings(types(in: files), exceptions) { _, type in
        let count = type.declaration.properties
        guard count > maximumProperties else { return [] }
        let what = "\(count) stored properties; \(maximumProperties) are the most"
        return [Finding(type.path, type.declaration.line, what)]
    }
}

/// Extensions of types with variables in other files: who reads a type's own file sees all that can
/// change its state.
func checkSpread(_ files: [SwiftFile], except exceptions: [String: String]) -> [Finding] {
    findings(types(in: files), exceptions) { name, type in
        guard type.declaration.variables > 0 else { return [] }
        return type.extensions.map { place in
            Finding(place.path, place.line, "\(name) has variables: one file has all of it")
        }
    }
}

/// What a check finds but for exceptions, and exceptions for which it finds nothing.
private func findings(
    _ types: [String: Type],
    _ exceptions: [String: String],
    _ check: (_ name: String, Type) -> [Finding]
) -> [Finding] {
    var findings: [Finding] = []
    var needed: Set<String> = []
    for (name, type) in types.sorted(by: { $0.key < $1.key }) {
        let found = check(name, type)
        if exceptions[name] == nil {
            findings += found
        } else if !found.isEmpty {
            needed.insert(name)
        }
    }
    for name in exceptions.keys.sorted() where !needed.contains(name) {
        findings.append(Finding("Tests/TidyTests/TypeChecks.swift", 0, "\(name) is no exception"))
    }
    return findings
}

private func types(in files: [SwiftFile]) -> [String: Type] {
    var types: [String: Type] = [:]
    var extensions: [(name: String, path: String, line: Int)] = []
    for file in files {
        guard let module = file.module else { continue }
        for part in TypeScanner.parts(of: file) {
            let name = module + "." + part.name
            if part.isExtension {
                extensions.append((name, file.path, part.line))
            } else {
                types[name] = Type(path: file.path, declaration: part)
            }
        }
    }
    for (name, path, line) in extensions where types[name].map({ $0.path != path }) ?? false {
        types[name]?.extensions.append((path, line))
    }
    return types
}
