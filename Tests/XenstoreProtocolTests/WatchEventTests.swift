import Testing
import XenstoreProtocol

/// Events as they come over the wire.
struct WatchEventTests {
    private func path(of text: String) -> String? {
        WatchEvent(payload: Array("\(text)\0t\0".utf8))?.path.text
    }

    private func name(_ count: Int) -> String { String(repeating: "x", count: count) }

    /// C xenstored from 4.18 on lets the privileged domain have such paths.
    @Test func aPathThatIsTooLongStandsForTheLastKeyAboveThatIsNot() {
        let longest = "/a/" + name(3069)
        #expect(path(of: longest) == longest)
        #expect(path(of: longest + "x") == "/a")
        #expect(path(of: longest + "/b") == longest)
        #expect(path(of: longest + "x/b") == "/a")
        #expect(path(of: "/" + name(4000)) == "/")
        #expect(
            path(of: "/" + name(1500) + "/" + name(1500) + "/" + name(900))
                == "/" + name(1500) + "/" + name(1500)
        )
        #expect(path(of: "data/" + name(3000)) == "data")
    }

    @Test func whatIsNoPathIsStillNone() {
        #expect(path(of: "/a b/" + name(4000)) == nil)
        #expect(path(of: name(4000)) == nil)
        #expect(path(of: "/a//b") == nil)
        #expect(path(of: "") == nil)
    }
}
