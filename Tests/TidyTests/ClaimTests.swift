import Testing

/// Each claim of docs/SEMANTICS.md is held by a test: `Tests/claims.txt` says by which.
struct ClaimTests {
    private struct Claim {
        let words: String
        let test: String
    }

    private static let page = "docs/SEMANTICS.md"
    private static let table = "Tests/claims.txt"

    /// Sections of which each point must be in the table.
    private static let sections: Set = [
        "Names", "Shapes", "Values", "Scratch files", "open, creat", "read", "write",
        "truncate, ftruncate", "fsync, close", "stat", "Times", "chmod, chown",
        "Extended attributes",
        "getfacl, setfacl", "opendir, readdir", "mkdir", "unlink, rmdir", "rename",
        "link, symlink, mknod", "statfs", "Freshness", "Transactions", "Control", "Failure",
    ]

    private let claims: [Claim]
    private let text: String
    private let tests: String

    init() throws {
        let repository = try Repository()
        text = try repository.text(Self.page) ?? ""
        tests = try repository.paths
            .filter { $0.hasPrefix("Tests/") && $0.hasSuffix(".swift") }
            .compactMap { try repository.text($0) }
            .joined(separator: "\n")
        claims = try (repository.text(Self.table) ?? "").split(separator: "\n")
            .filter { !$0.hasPrefix("#") }.map { line in
                let parts = line.split(separator: "=>").map { part in
                    String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
                }
                try #require(parts.count == 2, "no claim and test: \(line)")
                return Claim(words: parts[0], test: parts[1])
            }
    }

    @Test func whatIsQuotedStandsInThePage() {
        for claim in claims {
            #expect(text.contains(claim.words), "not in the page: \(claim.words)")
        }
    }

    @Test func theTestsExist() {
        for claim in claims {
            let isThere =
                tests.contains("func \(claim.test)(") || tests.contains("\"\(claim.test)\"")
            #expect(isThere, "no such test: \(claim.test)")
        }
    }

    @Test func eachPointIsQuoted() {
        var section = ""
        var seen: Set<String> = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#") {
                section = String(line.drop { $0 == "#" || $0 == " " })
                seen.insert(section)
            }
            guard line.hasPrefix("- "), Self.sections.contains(section) else { continue }
            let isQuoted = claims.contains { line.contains($0.words) }
            #expect(isQuoted, "a claim without a test, under \(section): \(line)")
        }
        #expect(Self.sections.isSubset(of: seen), "sections are gone")
    }
}
