import ChangeNotification
import Testing
import XenstoreProtocol

/// Keys that come, go, and become something else.
@Suite struct ShapeTests {
    private let transcript: Transcript

    init() throws { transcript = try Transcript() }

    // MARK: Made

    @Test func aNewFileIsCreated() throws {
        #expect(try transcript.changed("/a/n") == ["revalidate"])
        #expect(transcript.batch() == ["ask /a/n"])
        #expect(transcript.answer(["/a/n": ""]) == ["inject: create a/n"])
    }

    @Test func aNewValueIsAModifyOfItsOwn() throws {
        #expect(try transcript.change("/a/n", ["/a/n": "v"]) == ["inject: create a/n, modify a/n"])
    }

    /// One event of the store makes a directory and the key in it.
    @Test func aNewDirectoryIsMadeWithItsNames() throws {
        #expect(try transcript.changed("/a/d/x/y") == ["revalidate"])
        #expect(transcript.batch() == ["ask /a/d"])
        #expect(transcript.answer(["/a/d": .directory("x", "z")]) == ["inject: mkdir a/d"])
        let parent = try transcript.directory
        let call = try transcript.call("d", in: parent)
        #expect(call.childNames == Array("x\0z\0".utf8))
        let directory = try transcript.tree.knowFile("/a/d")
        transcript.notifier.made(directory, by: call)
        #expect(directory.unknownNames == ["x", "z"])
        #expect(!directory.knowsChildren)
    }

    @Test func whatWasMadeAndRemovedSinceIsNoEvent() throws {
        #expect(try transcript.change("/a/n", [:]).isEmpty)
    }

    /// A directory lists what its own event says nothing of.
    @Test func newNamesOfADirectoryAreAskedFor() throws {
        #expect(try transcript.change("/a", ["/a": .directory("b", "n")]) == ["revalidate"])
        #expect(transcript.batch() == ["ask /a/n"])
        #expect(transcript.answer(["/a/n": "v"]) == ["inject: create a/n, modify a/n"])
    }

    @Test func namesThatFitNoMessageAreListed() throws {
        let directory = try transcript.directory
        #expect(try transcript.change("/a", ["/a": FakeStat("", names: nil)]) == ["list /a"])
        func list(_ names: [String]) -> [String] {
            transcript.lines(transcript.notifier.listed(names, in: directory))
        }
        #expect(list(["b"]).isEmpty)
        #expect(list(["b", "n"]) == ["revalidate"])
        #expect(transcript.batch() == ["ask /a/n"])
        #expect(transcript.answer(["/a/n": ""]) == ["inject: create a/n"])
        _ = transcript.agentIsDone()
        #expect(list(["n"]) == ["revalidate"])
        #expect(transcript.batch() == ["ask /a/b"])
        #expect(transcript.answer([:]) == ["inject: unlink a/b", "revalidate"])
    }

    @Test func aRootOfWhichNothingIsKnownIsLearnt() throws {
        transcript.tree.root.watched.forget()
        #expect(try transcript.changed("/") == ["revalidate"])
        #expect(transcript.batch().first == "ask /")
        #expect(transcript.answer(["/": .directory("a")]).contains("learn the root"))
    }

    // MARK: Removed

    @Test func whatIsBelowIsRemovedFirst() throws {
        try transcript.tree.know("/a/d", ["e": .directory("f")])
        try transcript.tree.know("/a/d/e", ["f": "1"])
        _ = try transcript.change("/a/d", ["/a/d": .directory("e"), "/a/d/e": .directory("f")])
        _ = transcript.agentIsDone()
        #expect(try transcript.changed("/a/d") == ["revalidate"])
        #expect(transcript.batch() == ["ask /a/d", "ask /a/d/e"])
        let calls = ["inject: unlink a/d/e/f, rmdir a/d/e, rmdir a/d", "revalidate"]
        #expect(transcript.answer([:]) == calls)
        #expect(transcript.tree.removedPaths == ["/a/d/e", "/a/d"])
        // What has lost its last child may be a file.
        #expect(transcript.batch() == ["ask /a/d/e", "ask /a/d", "ask /a"])
        #expect(transcript.answer(["/a": .directory("b")]).isEmpty)
    }

    @Test func aRemovedFileIsUnlinked() throws {
        #expect(try transcript.change("/a/b", [:]) == ["inject: unlink a/b", "revalidate"])
        #expect(transcript.batch() == ["ask /a"])
    }

    // MARK: Another shape

    /// Two halves: the one goes, the other comes.
    @Test func aFileThatGetsAChildIsADirectory() throws {
        try transcript.tree.knowFile("/a/b")
        #expect(try transcript.changed("/a/b/x") == ["revalidate"])
        #expect(transcript.batch() == ["ask /a/b"])
        let stat = FakeStat.directory("x", value: "old")
        let calls = ["inject: unlink a/b, mkdir a/b", "revalidate"]
        #expect(transcript.answer(["/a/b": stat]) == calls)
        let parent = try transcript.directory
        let removal = try transcript.call("b", in: parent)
        #expect(removal.isReshaping)
        #expect(removal.isRemoval)
        // It is no end of the key.
        #expect(transcript.tree.removedPaths.isEmpty)
    }

    /// It was asked for as a file, and the answer says nothing of children.
    @Test func whatWasAskedAsAFileAndIsNoneIsAskedAgain() throws {
        _ = try transcript.changed("/a/b")
        #expect(transcript.batch() == ["ask file /a/b"])
        let parent = try transcript.directory
        transcript.notifier.localMove(of: "b", in: parent, to: "c", in: parent, exchanges: false)
        #expect(transcript.answer(["/a/b": "new"]) == ["revalidate"])
        #expect(transcript.batch() == ["ask /a/b"])
    }

    @Test func aDirectoryThatLosesItsChildIsAFile() throws {
        try transcript.tree.know("/a/d", ["x": "1"])
        _ = try transcript.change("/a/d", ["/a/d": .directory("x", value: "v")])
        _ = transcript.agentIsDone()
        let calls = ["inject: unlink a/d/x", "revalidate"]
        #expect(try transcript.change("/a/d/x", [:]) == calls)
        #expect(transcript.batch() == ["ask /a/d"])
        #expect(transcript.answer(["/a/d": "v"]) == ["revalidate"])
        let next = ["inject: rmdir a/d, create a/d, modify a/d"]
        #expect(transcript.agentIsDone() == next)
    }
}
