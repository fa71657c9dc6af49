import ChangeNotification
import Testing
import XenstoreProtocol

/// What another client writes, and who may use it.
@Suite struct WriteTests {
    private let transcript: Transcript

    init() throws { transcript = try Transcript() }

    @Test func aWriteIsOneModify() throws {
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        #expect(transcript.batch() == ["ask file /a/b"])
        #expect(transcript.answer(["/a/b": "new"]) == ["inject: modify a/b"])
    }

    /// The event is certain: it is not this mount's.
    @Test func theSameValueAgainIsAModify() throws {
        #expect(try transcript.change("/a/b", ["/a/b": "old"]) == ["inject: modify a/b"])
    }

    @Test func manyEventsOfAKeyAreOneQuestion() throws {
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        for _ in 0..<3 { #expect(try transcript.changed("/a/b").isEmpty) }
        #expect(transcript.batch() == ["ask file /a/b"])
        #expect(transcript.answer(["/a/b": "new"]) == ["inject: modify a/b"])
    }

    /// The answer may be of before or after it. If it is of before, there is a difference to find.
    @Test func anEventAfterTheQuestionIsAnotherQuestion() throws {
        for (second, calls) in [("newer", ["inject: modify a/b"]), ("new", [])] {
            let transcript = try Transcript()
            _ = try transcript.changed("/a/b")
            _ = transcript.batch()
            #expect(try transcript.changed("/a/b").isEmpty)
            #expect(transcript.answer(["/a/b": "new"]) == ["inject: modify a/b", "revalidate"])
            #expect(transcript.agentIsDone().isEmpty)
            #expect(transcript.batch() == ["ask file /a/b"])
            #expect(transcript.answer(["/a/b": FakeStat(second)]) == calls)
        }
    }

    @Test func whoMayUseAKeyIsAttrib() throws {
        let readable = FakeStat("old", everyone: .read)
        #expect(try transcript.change("/a/b", ["/a/b": readable]) == ["inject: attrib a/b"])
    }

    @Test func aValueAndPermissionsAreBothTold() throws {
        let readable = FakeStat("new", everyone: .read)
        let calls = ["inject: modify a/b, attrib a/b"]
        #expect(try transcript.change("/a/b", ["/a/b": readable]) == calls)
    }

    @Test func whoMayUseADirectoryIsAttrib() throws {
        let readable = FakeStat("", names: ["b"], everyone: .read)
        #expect(
            try transcript.change("/a", ["/a": readable, "/a/b": "old"]) == ["inject: attrib a"]
        )
    }

    /// It answers nothing to this domain, or is lost: all is asked for again then.
    @Test func aQuestionThatFailsIsNoEvent() throws {
        _ = try transcript.changed("/a/b")
        _ = transcript.batch()
        #expect(transcript.fail("EACCES").isEmpty)
    }

    /// Most changes are writes, and nothing is known of the directory.
    @Test func aFileOfAnUnknownDirectoryIsModified() throws {
        try transcript.directory.watched.forget()
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        #expect(transcript.batch() == ["ask /a/b"])
        #expect(transcript.answer(["/a/b": "v"]) == ["inject: modify a/b"])
    }

    /// The times of the key depend on it.
    @Test func whatTheStoreSaysIsPassedOn() throws {
        try transcript.tree.knowFile("/a/b")
        _ = try transcript.change("/a/b", ["/a/b": "new"])
        #expect(transcript.tree.learnedPaths == ["/a/b"])
    }

    // MARK: Own values

    @Test func theOwnValueOfADirectoryComesAndGoes() throws {
        let names = ["b"]
        for (value, calls) in [
            ("v", ["inject: create a/.value, modify a/.value"]),
            ("w", ["inject: modify a/.value"]),
            // The same again.
            ("w", ["inject: modify a/.value"]),
            ("", ["inject: unlink a/.value"]),
            ("", []),
        ] {
            let stat = FakeStat(value, names: names)
            #expect(try transcript.change("/a", ["/a": stat]) == calls)
            #expect(transcript.agentIsDone().isEmpty)
        }
    }

    /// There would be an event for a value that was there before.
    @Test func theFirstValueThatIsKnownIsNoEvent() throws {
        let root = transcript.tree.root
        transcript.notifier.localMove(of: "none", in: root, to: "a", in: root, exchanges: false)
        #expect(try transcript.change("/a", ["/a": .directory("b", value: "v")]).isEmpty)
        let calls = ["inject: modify a/.value"]
        #expect(try transcript.change("/a", ["/a": .directory("b", value: "w")]) == calls)
    }

    @Test func whoMayUseADirectoryIsNoWriteOfItsValue() throws {
        _ = try transcript.change("/a", ["/a": .directory("b", value: "v")])
        _ = transcript.agentIsDone()
        let readable = FakeStat("v", names: ["b"], everyone: .read)
        #expect(try transcript.change("/a", ["/a": readable]) == ["inject: attrib a"])
    }

    @Test func theRootHasAValueAndPermissions() throws {
        func change(_ root: FakeStat) throws -> [String] {
            defer { _ = transcript.agentIsDone() }
            return try transcript.change("/", ["/": root, "/a": .directory("b"), "/a/b": "old"])
        }
        // Nothing was known of it.
        #expect(try change(.directory("a")).isEmpty)
        #expect(
            try change(.directory("a", value: "v")) == ["inject: create .value, modify .value"]
        )
        #expect(try change(.directory("a", value: "w")) == ["inject: modify .value"])
        let readable = FakeStat("w", names: ["a"], everyone: .read)
        #expect(try change(readable) == ["inject: attrib ."])
        try transcript.end(
            try transcript.begin("/"),
            .setPermissions(.root, Permissions(owner: .privileged))
        )
        try transcript.write("own", to: "/")
        #expect(try change(.directory("a", value: "own")) == ["settle"])
    }

    @Test func aRootThatIsGoneHasNoChildren() throws {
        _ = try transcript.changed("/")
        #expect(transcript.batch().first == "ask /")
        #expect(transcript.answer([:]).first == "inject: unlink a/b, rmdir a")
    }

    // MARK: Who watches

    @Test func whatNobodyCanWatchIsNoQuestion() throws {
        #expect(try transcript.change("/a/d", ["/a/d": .directory("k")]) == ["inject: mkdir a/d"])
        // The kernel knows it as no directory.
        let file = try transcript.tree.knowFile("/a/d/k")
        file.isHeld = false
        #expect(try transcript.changed("/a/d/k").isEmpty)
        #expect(try transcript.changed("/a/d/new").isEmpty)
        // The file itself may be watched.
        file.isHeld = true
        #expect(try transcript.changed("/a/d/k") == ["revalidate"])
        #expect(transcript.batch() == ["ask /a/d/k"])
        #expect(transcript.answer(["/a/d/k": "v"]).isEmpty)
        #expect(transcript.agentIsDone() == ["inject: modify a/d/k"])
    }

    /// A program that comes to watch a directory looks it up first.
    @Test func aDirectoryThatOnlyTheAgentKnowsIsNotWatched() throws {
        let directory = try transcript.tree.know("/a/d", ["k": "1"])
        _ = try transcript.change("/a/d", ["/a/d": .directory("k")])
        directory.isKnownByAgentOnly = true
        #expect(!directory.isWatchable)
        #expect(try transcript.changed("/a/d/k").isEmpty)
        directory.isKnownByAgentOnly = false
        #expect(try transcript.changed("/a/d/k") == ["revalidate"])
    }

    @Test func nothingIsToldWhereNothingIsRaised() throws {
        transcript.notifier.isActive = false
        #expect(try transcript.changed("/a/b").isEmpty)
        #expect(transcript.notifier.anythingChanged().isEmpty)
        #expect(transcript.batch().isEmpty)
    }
}
