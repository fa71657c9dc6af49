import Testing

/// The checks of types, which find what is bad and leave alone what looks like it.
struct TypeCheckTests {
    private func file(_ text: String, at path: String = "Sources/XenstoreServer/A.swift")
        -> SwiftFile
    {
        SwiftFile(path: path, text: text)
    }

    @Test(arguments: [
        ("struct A {\n    let a = 1\n    private(set) var b: Int\n}\n", 2, 1),
        ("final class A {\n    static let a = 1\n    class var b: Int { 1 }\n}\n", 0, 0),
        ("struct A {\n    var a: Int { 1 }\n    var b: Int {\n        let c = 1\n    }\n}\n", 0, 0),
        ("struct A {\n    var a: () -> Void = { _ in }\n    lazy var b = { 1 }()\n}\n", 2, 2),
        ("struct A {\n    var a = 1 {\n        didSet { f() }\n    }\n}\n", 1, 1),
        ("struct A {\n    var a: Int {\n        didSet { f() }\n    }\n}\n", 1, 1),
        ("struct A {\n    func f() {\n        var a = 1\n    }\n    let b: Int\n}\n", 1, 0),
        ("struct A<B: C> where B: D {\n    let a = f(\n        { var b = 1 }\n    )\n}\n", 1, 0),
        ("class A {\n    @Option(\n        a\n    )\n    var a = 1\n    let b = 2\n}\n", 1, 0),
        ("struct A {\n    @Flag(help: f(\"a b\")) var a = 1\n    @B var b = 2\n}\n", 1, 1),
        ("enum A {\n    static var a = 1\n    var b: Int { 1 }\n}\n", 0, 0),
        ("protocol A {\n    var a: Int { get }\n}\n", 0, 0),
        ("// struct A {\n// var a = 1 }\n", nil, nil),
    ])
    func storedProperties(text: String, properties: Int?, variables: Int?) {
        let part = TypeScanner.parts(of: file(text)).first
        #expect(part?.properties == properties)
        #expect(part?.variables == variables)
    }

    @Test func namesOfTypes() {
        let text = """
            struct A {
                enum B {
                    final class C { let a = 1 }
                }
                let b = C()
            }
            extension A.B: D {
                private struct E {}
            }

            """
        let parts = TypeScanner.parts(of: file(text))
        #expect(parts.map(\.name) == ["A", "A.B", "A.B.C", "A.B", "A.B.E"])
        #expect(parts.map(\.isExtension) == [false, false, false, true, false])
        #expect(parts.map(\.line) == [1, 2, 3, 7, 8])
        #expect(parts[0].properties == 1)
    }

    @Test func propertiesOfTypes() {
        for (count, findings) in [(12, 0), (13, 1)] {
            let text = (0..<count).map { "    let a\($0) = 1\n" }.joined()
            let files = [file("struct A {\n\(text)}\n")]
            let name = "XenstoreServer.A"
            #expect(checkProperties(files, except: [:]).count == findings)
            // An exception that is needed, one that is not.
            #expect(checkProperties(files, except: [name: "why"]).count == 1 - findings)
        }
    }

    @Test func spreadOfTypes() {
        func findings(_ texts: [String], except exceptions: [String: String] = [:]) -> [String] {
            let files = texts.enumerated().map {
                file($1, at: "Sources/XenstoreServer/\($0).swift")
            }
            return checkSpread(files, except: exceptions).map {
                "\($0.path.split(separator: "/").last ?? ""):\($0.line)"
            }
        }
        let changing = "struct A {\n    struct B { let a = 1 }\n    var a = 1\n}\n"
        #expect(findings([changing + "extension A {}\n"]).isEmpty)
        #expect(findings([changing, "\nextension A: C {}\n"]) == ["1.swift:2"])
        #expect(findings(["extension A {}\n", changing]) == ["0.swift:1"])
        #expect(findings([changing, "extension A.B {}\nextension Array {}\n"]).isEmpty)
        #expect(findings(["struct A {\n    let a = 1\n}\n", "extension A {}\n"]).isEmpty)
        let exception = ["XenstoreServer.A": "why"]
        #expect(findings([changing, "extension A {}\n"], except: exception).isEmpty)
        #expect(findings([changing], except: exception).count == 1)
    }
}
