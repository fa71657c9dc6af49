import Testing

/// The checks themselves: each finds what is bad, and leaves alone what looks like it.
struct CheckTests {
    private func file(_ text: String, at path: String = "Sources/XenstoreServer/A.swift")
        -> SwiftFile
    {
        SwiftFile(path: path, text: text)
    }

    @Test(arguments: [
        ("Sources/XenstoreProtocol/A.swift", "import Glibc"),
        ("Sources/XenstoreStore/A.swift", "public import XenstoreFilesystem"),
        ("Sources/XenstoreFilesystem/A.swift", "package import XenstoreStore"),
        ("Sources/XenstoreClient/A.swift", "import CFuse"),
        ("Sources/XenstoreServer/A.swift", "@preconcurrency import Logging"),
        ("Sources/Reactor/A.swift", "import struct Foundation.Data"),
        ("Sources/New/A.swift", "import Glibc"),
        ("Tests/AnyTests/A.swift", "import Dispatch"),
        ("Sources/xsfs/A.swift", "import Foundation"),
    ])
    func imports(path: String, line: String) {
        #expect(checkImports(file("\n" + line + "\n", at: path)).map(\.line) == [2])
    }

    @Test func goodImports() {
        #expect(checkImports(file("public import XenstoreStore\n// import CFuse\n")).isEmpty)
        #expect(checkImports(file("import CFuse\n", at: "Sources/FuseAdapter/A.swift")).isEmpty)
        #expect(checkImports(file("import XenstoreStore\n", at: "Tests/T/A.swift")).isEmpty)
    }

    @Test(arguments: [
        "Task { await f() }", "Task.detached { }", "try await Task.sleep(for: .seconds(1))",
        "@MainActor func f() {}", "let a = try! f()", "fatalError()", "print(a)",
        "DispatchQueue.main.sync {}", "// TODO: later", "/* FIXME */",
        "let a = \"\\(try! f())\"",
    ])
    func bannedWords(line: String) throws {
        #expect(try checkBannedWords(file("let a = 1\n\(line)\n")).map(\.line) == [2])
    }

    @Test(arguments: [
        "Task.immediate { }", "// No Task { here", "let a = \"fatalError\"", "debugPrint(a)",
        "log.print(a)", "withTask {", "try? f()", "/* a\nprint(b)\n*/",
        "let a = \"\"\"\n    print(b)\n    \"\"\"",
    ])
    func wordsThatAreFine(text: String) throws {
        #expect(try checkBannedWords(file(text + "\n")).isEmpty)
    }

    @Test(arguments: [
        "public final class XenstoreServer {", "enum XenstoreServer {}",
        "struct XenstoreServer: Sendable {",
    ])
    func typeNames(line: String) {
        #expect(checkTypeNames(file("import A\n\(line)\n")).map(\.line) == [2])
        #expect(checkTypeNames(file(line, at: "Sources/xsfs/A.swift")).isEmpty)
    }

    @Test func goodTypeNames() {
        #expect(
            checkTypeNames(file("final class StoreServer {\n// class XenstoreServer\n")).isEmpty
        )
        #expect(checkTypeNames(file("class A {\n    let b = XenstoreServer()\n}\n")).isEmpty)
    }

    @Test func uncheckedSendable() {
        let type = "final class A: @unchecked Sendable {}\n"
        let reason = "/// A.\n// Sendable: it is behind a lock,\n// always.\n"
        let path = "Sources/Reactor/A.swift"
        #expect(checkUncheckedSendable(file(reason + type, at: path)).isEmpty)
        #expect(checkUncheckedSendable(file("/// A.\n" + type, at: path)).count == 1)
        #expect(checkUncheckedSendable(file(reason + "\n" + type, at: path)).count == 1)
        #expect(checkUncheckedSendable(file(reason + type)).count == 1)
        #expect(checkUncheckedSendable(file("// @unchecked Sendable\n")).isEmpty)
    }

    @Test func columns() {
        let long = String(repeating: "a", count: 101)
        #expect(checkColumns(file("\(long.dropLast())\n\(long)\n// \(long)\n")).count == 2)
        #expect(checkColumns(file("f(\n    \"\(long)\"\n)\n")).isEmpty)
        #expect(checkColumns(file("f(\n    \"\"\"\n    \(long)\n    \"\"\"\n)\n")).isEmpty)
        #expect(checkColumns(file("let a = \"\"\"\n    \"\"\"\n\(long)\n")).count == 1)
    }

    @Test func fileLength() {
        let line = "let a = 1\n"
        #expect(checkFileLength(file(String(repeating: line, count: 500))).isEmpty)
        #expect(checkFileLength(file(String(repeating: line, count: 501))).count == 1)
    }

    @Test(arguments: [
        "    func f() {", "    public static func f(_ a: () -> Void = {}) -> Int {",
        "    init?(a: Int) {", "    deinit {", "    var a: Int {",
        "    func f(\n        a: Int\n    ) async throws(E) -> [Int] {",
        "    private func f<A>(_ a: A) where A: B {", "    subscript(a: Int) -> Int {",
    ])
    func functionLengths(head: String) {
        let headLines = head.lines.count
        for (size, findings) in [(70, 0), (71, 1)] {
            let body = String(repeating: "        a(\"}\") // }\n", count: size - headLines - 1)
            let text = "struct S {\n\(head)\n\(body)    }\n\n    func g() {}\n}\n"
            #expect(checkFunctionLengths(file(text)).count == findings)
        }
    }

    @Test func textIsNoCode() {
        let text = String(repeating: "text {\n", count: 80)
        #expect(checkFunctionLengths(file("func f() {\n\"\"\"\n\(text)\"\"\"\n}\n")).isEmpty)
    }

    @Test func requirementsHaveNoLength() {
        let body = String(repeating: "    func f()\n\n", count: 80)
        #expect(checkFunctionLengths(file("protocol P {\n\(body)}\n")).isEmpty)
    }

    @Test func documentation() {
        func names(_ texts: String...) -> [Int] {
            checkDocumentation(texts.map { file($0) }).map(\.line)
        }
        #expect(names("public struct A {}\n") == [1])
        #expect(names("// A.\npublic final class A {}\n") == [2])
        #expect(names("/// A.\nstruct A {\n    public static func f() {}\n}\n") == [3])
        #expect(names("/// A.\n// Sendable: yes.\n@frozen\npublic struct A {}\n").isEmpty)
        #expect(names("struct A {}\nfunc f() {}\n").isEmpty)
        let described = "/// P.\npublic protocol P {\n    /// Does.\n    func f()\n}\n"
        let bare = "/// P.\npublic protocol P {\n    func f()\n}\n"
        #expect(names(described, "extension A {\n    public func f() {}\n}\n").isEmpty)
        #expect(names(bare, "extension A {\n    public func f() {}\n}\n") == [2])
    }

    @Test func pages() {
        func findings(_ text: String) -> [String] {
            checkPage("docs/A.md", text) { ["docs/B.md", "C.md"].contains($0) }.map(\.what)
        }
        #expect(findings("# A\n\n[b](B.md) [c](../C.md#c) [w](https://a.b/c) [h](#h)\n").isEmpty)
        #expect(findings("# A\n\n[b](../B.md)\n") == ["../B.md leads nowhere"])
        #expect(findings("# A\n\n[b](D.md#d)\n") == ["D.md#d leads nowhere"])
        #expect(findings("## A\n") == ["0 titles; a page has one"])
        #expect(findings("# A\n\n# B\n") == ["2 titles; a page has one"])
        #expect(findings("# A\n\n```\n# no title\n[b](D.md)\n```\n\n`[b](D.md)`\n").isEmpty)
    }

    @Test func machinePaths() throws {
        // In pieces, or the check would find this file.
        for place in ["work/a", "root", "home/joe/x", "Users/joe"] {
            #expect(try checkMachinePaths("a", "one\nin /\(place)\n").map(\.line) == [2])
            #expect(try checkMachinePaths("a", "x(\"/\(place)\")\n").map(\.line) == [1])
        }
        for fine in ["./work/a", "$T/root", "/rooted", "docs/work", "the network/", "/homework"] {
            #expect(try checkMachinePaths("a", fine).isEmpty)
        }
    }
}
