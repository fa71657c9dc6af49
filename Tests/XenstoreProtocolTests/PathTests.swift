import TestSupport
import Testing
import XenstoreProtocol

/// Which texts are paths, and how paths relate.
struct PathTests {
    @Test(arguments: [
        "/", "/a", "/a/b/c", "a", "a/b", "@releaseDomain", "@x/5", "/-_@9", "/A-Z", "0",
        "/" + String(repeating: "a", count: 3071), String(repeating: "a", count: 2048),
    ])
    func legal(text: String) throws {
        #expect(try XenstorePath(text).text == text)
        #expect(try XenstorePath(bytes: Array(text.utf8)).text == text)
    }

    @Test(arguments: [
        ("", PathError.empty), ("//", .emptyComponent), ("/a//b", .emptyComponent),
        ("/a/", .emptyComponent), ("a/", .emptyComponent), ("a//b", .emptyComponent),
        ("/a b", .illegalCharacter(0x20)), ("/a.b", .illegalCharacter(0x2E)),
        ("/..", .illegalCharacter(0x2E)), ("/a:b", .illegalCharacter(0x3A)),
        ("/é", .illegalCharacter(0xC3)), ("/a\0", .illegalCharacter(0)),
        ("/a\n", .illegalCharacter(0x0A)), ("~", .illegalCharacter(0x7E)),
        ("/" + String(repeating: "a", count: 3072), .tooLong),
        (String(repeating: "a", count: 2049), .tooLong),
    ])
    func illegal(text: String, error: PathError) {
        #expect(throws: error) { try XenstorePath(text) }
        #expect(throws: error) { try XenstorePath(bytes: Array(text.utf8)) }
    }

    @Test func kinds() {
        let root: XenstorePath = "/"
        #expect(root.isRoot && root.isAbsolute && !root.isSpecial && root == .root)
        let relative: XenstorePath = "a/b"
        #expect(!relative.isAbsolute && !relative.isRoot)
        #expect(XenstorePath.releaseDomain.isSpecial)
        #expect(!XenstorePath.releaseDomain.isAbsolute)
        let named: XenstorePath = "/@releaseDomain"
        #expect(!named.isSpecial)
    }

    @Test(arguments: [
        ("/a/b", "/a"), ("/a", "/"), ("/", nil), ("a", nil), ("a/b", "a"),
        ("@releaseDomain/3", "@releaseDomain"),
    ])
    func parents(path: XenstorePath, parent: XenstorePath?) {
        #expect(path.parent == parent)
    }

    @Test func children() throws {
        #expect(try XenstorePath.root.appending("a") == "/a")
        #expect(try XenstorePath("/a").appending("b") == "/a/b")
        #expect(try XenstorePath("a").appending("b") == "a/b")
        for name in ["", "b/c", "b c", "/", "."] {
            #expect(throws: PathError.self) { try XenstorePath("/a").appending(name) }
        }
        let long = try XenstorePath("/" + String(repeating: "a", count: 3070))
        #expect(throws: PathError.tooLong) { try long.appending("b") }
        #expect(XenstorePath("/a/b/c").components == ["a", "b", "c"])
        #expect(XenstorePath.root.components == [])
    }

    @Test(arguments: [
        ("/", "/a/b", true), ("/", "/", true), ("/a", "/a", true), ("/a", "/a/b", true),
        ("/a", "/ab", false), ("/a/b", "/a", false), ("/", "a", false), ("a", "a/b", true),
        ("@x", "@x/1", true), ("@x", "@xy", false),
    ])
    func containment(above: XenstorePath, below: XenstorePath, isContained: Bool) {
        #expect(above.contains(below) == isContained)
    }
}
