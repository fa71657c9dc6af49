import Testing

struct RetiredWordsTests {
    @Test func noRetiredWordIsUsed() throws {
        let repository = try Repository()
        let places = [
            "Sources/", "CFuse/", "Tests/", "docs/", "Benchmarks/", "Examples/", "mount-scripts/",
            "README.md", "CONTRIBUTING.md",
        ]
        var findings: [Finding] = []
        var count = 0
        for path in repository.paths where places.contains(where: path.hasPrefix) {
            guard let text = try repository.text(path) else { continue }
            findings += checkRetiredWords(path, text)
            count += 1
        }
        let list = findings.map(\.description).joined(separator: "\n")
        #expect(findings.isEmpty, "\n\(list)")
        #expect(count > 300, "no files found")
    }

    // In pieces, or the check would find this file.
    @Test(arguments: [
        "the \("po")ker", "a \("Dou")bt.", "`is\("Announ")cing`", "dou\("bt")Batch",
        "xsfs-po\("ker")",
        "XSFS_PO\("KE")_MODIFY", "pending\("Po")kes", "Child\("Records").swift",
    ])
    func wordsAreFound(line: String) {
        #expect(checkRetiredWords("a", "one\n\(line)\n").map(\.line) == [2])
    }

    @Test(arguments: [
        "spoken", "nobodyIsToldBeforeTheCommit", "redoubt", "UPPER", "a child's records",
    ])
    func othersAreFine(line: String) {
        #expect(checkRetiredWords("a", line).isEmpty)
    }
}
