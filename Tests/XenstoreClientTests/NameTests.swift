import Glibc
import Testing
import XenstoreClient
import XenstoreProtocol

/// The names of the OCaml client and of LING's module, each with what the documentation says that
/// it is here, and what that does.
@Suite(.timeLimit(.minutes(2)))
struct NameTests {
    /// What a name has to show what it does.
    struct Stage: Sendable {
        let address: StoreAddress
        let client: Xenstore
        /// Another client of the same store.
        let other: Xenstore

        var handle: XenstoreHandle { client.immediate }
    }

    typealias Demonstration = @Sendable (Stage) async throws -> Void

    /// A row of a table: a name, and a piece of Swift.
    struct Row: Sendable {
        let name: String
        let code: String
    }

    private static let directory =
        "/"
        + #filePath.split(separator: "/").dropLast(3)
        .joined(separator: "/")
    private static let page =
        directory + "/Sources/XenstoreClient/XenstoreClient.docc/CoveredInterfaces.md"

    @Test(arguments: [
        ("OCaml", Self.ocamlNames, Self.ocaml, "NameTests+OCaml.swift"),
        ("Erlang", Self.erlangNames, Self.erlang, "NameTests+Erlang.swift"),
    ])
    func everyNameIsThere(
        language: String,
        names: [String],
        demonstrations: [String: Demonstration],
        file: String
    ) async throws {
        let rows = try Self.rows(of: language)
        #expect(rows.map(\.name) == names, "the table has not the names of the interface")
        let source = try Self.read(Self.directory + "/Tests/XenstoreClientTests/" + file)
        for row in rows {
            let demonstration = try #require(demonstrations[row.name], "\(row.name) is not shown")
            // So what the table says compiles, and is what runs here.
            let body = try #require(Self.body(of: row.name, in: source))
            #expect(body.contains(row.code), "\(row.name) is shown by other code than \(row.code)")
            try await Self.withStage(demonstration)
        }
    }

    private static func withStage(_ body: Demonstration) async throws {
        let server = try await RunningServer()
        let address = StoreAddress.socket(server.path)
        let stage = Stage(
            address: address,
            client: try await Xenstore(to: address),
            other: try await Xenstore(to: address)
        )
        try await body(stage)
        await stage.client.close()
        await stage.other.close()
        await server.stop()
    }

    // MARK: The table

    private static func rows(of language: String) throws -> [Row] {
        var rows: [Row] = []
        var isInTable = false
        for line in try read(page).split(separator: "\n", omittingEmptySubsequences: false) {
            let cells = line.split(separator: "|").map { $0.split(separator: "`") }
            if line.hasPrefix("| \(language) |") {
                isInTable = true
            } else if !line.hasPrefix("|") {
                isInTable = false
            } else if isInTable, cells.count >= 2, cells[0].count > 1, cells[1].count > 1 {
                rows.append(Row(name: String(cells[0][1]), code: String(cells[1][1])))
            }
        }
        return rows
    }

    /// The closure that shows a name.
    private static func body(of name: String, in source: String) -> Substring? {
        guard let start = source.firstRange(of: "        \"\(name)\": {") else { return nil }
        let rest = source[start.upperBound...]
        return rest.firstRange(of: "\n        },").map { rest[..<$0.lowerBound] }
    }

    private static func read(_ path: String) throws -> String {
        struct Missing: Error { let path: String }
        guard let file = fopen(path, "r") else { throw Missing(path: path) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
