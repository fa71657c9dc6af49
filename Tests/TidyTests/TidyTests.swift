import Testing

/// The rules of CONTRIBUTING.md that a program can check, on the repository as it is.
struct TidyTests {
    /// Read once for all tests.
    private static let files = Result {
        let repository = try Repository()
        return (
            repository,
            try repository.swiftFiles(under: ["Sources"]),
            try repository.swiftFiles(under: ["Tests", "Examples", "Benchmarks"])
        )
    }

    let repository: Repository
    let sources: [SwiftFile]
    let all: [SwiftFile]

    init() throws {
        let tests: [SwiftFile]
        (repository, sources, tests) = try Self.files.get()
        all = sources + tests
        try #require(sources.count > 50 && all.count > sources.count, "no files found")
    }

    private func expectNone(
        _ findings: [Finding],
        location: SourceLocation = #_sourceLocation
    ) {
        let list = findings.map(\.description).joined(separator: "\n")
        #expect(findings.isEmpty, "\n\(list)", sourceLocation: location)
    }

    @Test func modulesImportWhatTheirPlaceAllows() {
        expectNone(all.flatMap(checkImports))
    }

    @Test func noTypeHasItsModulesName() {
        expectNone(sources.flatMap(checkTypeNames))
    }

    @Test func bannedWordsAreNowhere() throws {
        expectNone(try sources.flatMap(checkBannedWords))
    }

    @Test func whatIsUncheckedIsExplained() {
        expectNone(sources.flatMap(checkUncheckedSendable))
    }

    @Test func linesFit() {
        expectNone(all.flatMap(checkColumns))
    }

    @Test func filesAndFunctionsAreShort() {
        expectNone(all.flatMap(checkFileLength) + all.flatMap(checkFunctionLengths))
    }

    @Test func whatIsPublicIsDocumented() {
        expectNone(checkDocumentation(sources))
    }

    @Test func typesAreSmall() {
        expectNone(checkProperties(sources, except: manyProperties))
    }

    @Test func whatChangesATypeIsInItsFile() {
        expectNone(checkSpread(sources, except: spreadTypes))
    }

    @Test func pagesHaveOneTitleAndGoodLinks() throws {
        let directories = Set(
            repository.paths.flatMap { path in
                let parts = path.split(separator: "/")
                return (0..<parts.count).map { parts.prefix($0).joined(separator: "/") }
            }
        )
        let known = directories.union(repository.paths)
        let pages = repository.paths.filter { $0.hasSuffix(".md") }
        try #require(pages.count > 5)
        var findings: [Finding] = []
        for page in pages {
            let text = try repository.text(page) ?? ""
            findings += checkPage(page, text) { known.contains($0) }
        }
        expectNone(findings)
    }

    @Test func noFileNamesAPlaceOfOneMachine() throws {
        var findings: [Finding] = []
        for path in repository.paths {
            guard let text = try repository.text(path) else { continue }
            findings += try checkMachinePaths(path, text)
        }
        expectNone(findings)
    }

    @Test func theBridgeIsSmall() throws {
        var lines = 0
        for path in repository.paths where path.hasPrefix("CFuse/") {
            lines += try repository.text(path)?.lines.count ?? 0
        }
        #expect(lines > 0)
        // This fails as soon as the bridge is as small as it should be: then take the excuse away.
        withKnownIssue("the bridge has grown beyond its bound") {
            #expect(lines <= 500)
        }
    }
}
