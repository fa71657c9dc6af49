import ChangeNotification
import Testing
import XenstoreProtocol

/// When a local change is over: the next event at its path is another client's, even if it looks
/// the same.
@Suite struct SettleTests {
    private let transcript: Transcript
    private let path: XenstorePath

    init() throws {
        transcript = try Transcript()
        path = try XenstorePath("/a/b")
    }

    private func expectTheSameByAnotherClientIsTold() throws {
        transcript.settle()
        #expect(!transcript.notifier.hasLocalChange(at: path))
        #expect(try transcript.change("/a/b", ["/a/b": "own"]) == ["inject: modify a/b"])
    }

    /// oxenstored answers first, and sends the event before any other answer.
    @Test func theSameByAnotherClientIsToldAfterAnAnswer() throws {
        try transcript.write("own", to: "/a/b")
        #expect(try transcript.change("/a/b", ["/a/b": "own"]) == ["settle"])
        try expectTheSameByAnotherClientIsTold()
    }

    /// C xenstored sends the event first.
    @Test func theSameByAnotherClientIsToldAfterAnEvent() throws {
        let number = try transcript.begin("/a/b")
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        try transcript.end(number, .write(path, value: Array("own".utf8)))
        #expect(transcript.batch() == ["ask file /a/b"])
        #expect(transcript.answer(["/a/b": "own"]) == ["settle"])
        try expectTheSameByAnotherClientIsTold()
    }

    /// The questions went out between the event and the answer: they are asked once more.
    @Test func aChangeThatWasAnsweredAfterTheQuestionIsOverWithTheNext() throws {
        let number = try transcript.begin("/a/b")
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        #expect(transcript.batch() == ["ask file /a/b"])
        try transcript.end(number, .write(path, value: Array("own".utf8)))
        #expect(transcript.answer(["/a/b": "own"]) == ["revalidate"])
        #expect(transcript.notifier.hasLocalChange(at: path))
        #expect(transcript.batch() == ["ask file /a/b"])
        #expect(transcript.answer(["/a/b": "own"]) == ["settle"])
        try expectTheSameByAnotherClientIsTold()
    }

    @Test func permissionsAndRemovalsAreOverToo() throws {
        let permissions = Permissions(owner: .privileged, everyone: .read)
        let stat = FakeStat("old", everyone: .read)
        try transcript.end(transcript.begin("/a/b"), .setPermissions(path, permissions))
        #expect(try transcript.change("/a/b", ["/a/b": stat]) == ["settle"])
        transcript.settle()
        #expect(try transcript.change("/a/b", ["/a/b": stat]) == ["inject: modify a/b"])
        _ = transcript.agentIsDone()
        try transcript.end(transcript.begin("/a/b", coversBelow: true), .remove(path))
        #expect(transcript.notifier.hasLocalChange(at: try XenstorePath("/a/b/x")))
        #expect(try transcript.change("/a/b", [:]) == ["settle"])
        transcript.settle()
        #expect(!transcript.notifier.hasLocalChange(at: try XenstorePath("/a/b/x")))
    }

    /// A store in this process has its events taken in a later turn than its answers.
    @Test func anEventAfterTheAnswersOfABatchIsNoEvent() throws {
        try transcript.write("own", to: "/a/b")
        #expect(try transcript.change("/a/n", [:]) == ["settle"])
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        transcript.settle()
        #expect(transcript.batch() == ["ask file /a/b"])
        #expect(transcript.answer(["/a/b": "own"]).isEmpty)
    }

    /// A turn settles what its batch is for, and no change since.
    @Test func aChangeSinceTheBatchIsNotOver() throws {
        try transcript.write("1", to: "/a/c")
        #expect(try transcript.change("/a/c", ["/a/c": "1"]) == ["settle"])
        let number = try transcript.begin("/a/d")
        try transcript.write("own", to: "/a/b")
        transcript.settle()
        #expect(!transcript.notifier.hasLocalChange(at: try XenstorePath("/a/c")))
        #expect(transcript.notifier.hasLocalChange(at: path))
        try transcript.end(number, .write(XenstorePath("/a/d"), value: []))
        #expect(transcript.notifier.hasLocalChange(at: try XenstorePath("/a/d")))
    }

    /// Nothing was asked, so nothing shows that the event has come.
    @Test func aBatchWithoutQuestionsEndsNothing() throws {
        try transcript.write("own", to: "/a/b")
        _ = try transcript.changed("/a/b")
        transcript.tree.detach(try transcript.directory)
        #expect(transcript.batch().isEmpty)
        #expect(transcript.answer([:]).isEmpty)
        transcript.settle()
        #expect(transcript.notifier.hasLocalChange(at: path))
    }

    @Test func aRefusedChangeHasNoEvent() throws {
        transcript.refuse(try transcript.begin("/a/b"))
        #expect(!transcript.notifier.hasLocalChange(at: path))
        #expect(try transcript.change("/a/b", ["/a/b": "old"]) == ["inject: modify a/b"])
    }

    /// Their events are asked about nowhere.
    @Test func manyChangesWithoutAQuestionAreBounded() throws {
        _ = try transcript.changed("/a/b")
        #expect(transcript.batch() == ["ask file /a/b"])
        for i in 0...NotifierLimits.answeredLocalChanges {
            try transcript.end(transcript.begin("/u/k\(i)"), .makeDirectory(XenstorePath("/u")))
        }
        let paths = try ["/u/k0", "/u/k1"].map { path in try XenstorePath(path) }
        #expect(paths.map { transcript.notifier.hasLocalChange(at: $0) } == [false, true])
        // Where the first was is not known any more.
        #expect(transcript.answer(["/a/b": "new"]) == ["revalidate"])
        #expect(transcript.batch() == ["ask file /a/b"])
        #expect(transcript.answer(["/a/b": "new"]) == ["inject: modify a/b", "settle"])
        transcript.settle()
        #expect(!transcript.notifier.hasLocalChange(at: paths[1]))
    }
}
