import ChangeNotification
import Testing
import XenstoreProtocol

/// What this mount changes itself: the kernel has raised inotify's events for it already.
@Suite struct LocalChangeTests {
    private let transcript: Transcript
    private let path: XenstorePath

    init() throws {
        transcript = try Transcript()
        path = try XenstorePath("/a/b")
    }

    // MARK: Echoes

    /// C xenstored sends the event first.
    @Test func anEventBeforeTheAnswerIsNoEvent() throws {
        let number = try transcript.begin("/a/b")
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        try transcript.end(number, .write(path, value: Array("own".utf8)))
        #expect(transcript.batch() == ["ask file /a/b"])
        #expect(transcript.answer(["/a/b": "own"]) == ["settle"])
    }

    /// oxenstored answers first.
    @Test func anEventAfterTheAnswerIsNoEvent() throws {
        try transcript.write("own", to: "/a/b")
        #expect(try transcript.change("/a/b", ["/a/b": "own"]) == ["settle"])
    }

    @Test func anOwnRemovalIsNoEvent() throws {
        let number = try transcript.begin("/a/b", coversBelow: true)
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        try transcript.end(number, .remove(path))
        #expect(transcript.batch() == ["ask /a/b"])
        #expect(transcript.answer([:]) == ["settle"])
    }

    @Test func ownPermissionsAreNoEvent() throws {
        let permissions = Permissions(owner: .privileged, everyone: .read)
        let stat = FakeStat("old", everyone: .read)
        try transcript.end(transcript.begin("/a/b"), .setPermissions(path, permissions))
        #expect(try transcript.change("/a/b", ["/a/b": stat]) == ["settle"])
    }

    @Test func anOwnNewKeyIsNoEvent() throws {
        let path = try XenstorePath("/a/n")
        try transcript.end(transcript.begin("/a/n"), .makeDirectory(path))
        #expect(try transcript.change("/a/n", ["/a/n": ""]) == ["settle"])
    }

    @Test func whatMovesTakesAlongWhatWasTold() throws {
        transcript.notifier.localMove(
            of: "b",
            in: try transcript.directory,
            to: "c",
            in: try transcript.directory,
            exchanges: false
        )
        #expect(try transcript.change("/a/c", ["/a/c": "new"]) == ["inject: modify a/c"])
        #expect(try transcript.change("/a/b", [:]).isEmpty)
    }

    // MARK: Another client's

    @Test func anotherChangeRightAfterAnOwnOneIsTold() throws {
        try transcript.write("own", to: "/a/b")
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        #expect(transcript.batch() == ["ask file /a/b"])
        #expect(try transcript.changed("/a/b").isEmpty)
        // The answer is of after both, or the next one is.
        let actions = ["inject: modify a/b", "settle", "revalidate"]
        #expect(transcript.answer(["/a/b": "other"]) == actions)
        transcript.settle()
        _ = transcript.agentIsDone()
        #expect(transcript.batch() == ["ask file /a/b"])
        #expect(transcript.answer(["/a/b": "other"]).isEmpty)
    }

    // MARK: Answers that are out of date

    /// What the store says may be of before the change, and what is known here is of after.
    @Test func aChangeThatWasAnsweredAfterTheQuestionIsAskedForAgain() throws {
        let number = try transcript.begin("/a/b")
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        #expect(transcript.batch() == ["ask file /a/b"])
        try transcript.end(number, .write(path, value: Array("own".utf8)))
        #expect(transcript.answer(["/a/b": "old"]) == ["revalidate"])
        #expect(transcript.batch() == ["ask file /a/b"])
        #expect(transcript.answer(["/a/b": "own"]) == ["settle"])
    }

    /// It is gone with the directory above, or one that was moved there.
    @Test func aKeyBelowARemovalSinceIsAskedForAgain() throws {
        let number = try transcript.begin("/a", coversBelow: true)
        _ = try transcript.changed("/a/b")
        #expect(transcript.batch() == ["ask file /a/b"])
        try transcript.end(number, .remove(XenstorePath("/a")))
        #expect(transcript.answer(["/a/b": "new"]) == ["revalidate"])
        #expect(transcript.batch() == ["ask file /a/b"])
    }

    @Test func aChangeOnItsWayIsAskedForAgain() throws {
        let number = try transcript.begin("/a/b")
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        #expect(transcript.batch() == ["ask file /a/b"])
        #expect(transcript.answer(["/a/b": "own"]) == ["revalidate"])
        try transcript.end(number, .write(path, value: Array("own".utf8)))
        #expect(transcript.batch() == ["ask file /a/b"])
        #expect(transcript.answer(["/a/b": "own"]) == ["settle"])
    }

    /// What was asked at the old place is of the key that is there now.
    @Test func aKeyThatWasMovedIsAskedForAtItsPlace() throws {
        _ = try transcript.changed("/a/b")
        #expect(transcript.batch() == ["ask file /a/b"])
        transcript.tree.rename(try transcript.directory, to: "c")
        #expect(transcript.answer(["/a/b": "other"]) == ["revalidate"])
        #expect(transcript.batch() == ["ask file /c/b"])
    }

    @Test func whatHasLostItsPlaceIsToldWithTheDirectoryAbove() throws {
        _ = try transcript.changed("/a/b")
        #expect(transcript.batch() == ["ask file /a/b"])
        transcript.tree.detach(try transcript.directory)
        #expect(transcript.answer(["/a/b": "new"]).isEmpty)
    }

    // MARK: Seen

    /// It was made again before it was asked for, or after.
    @Test func aKeyThatWasSeenSinceIsNotRemoved() throws {
        try transcript.tree.knowFile("/a/b").isKnownAsFile = false
        _ = try transcript.changed("/a/b")
        _ = transcript.batch()
        #expect(transcript.notifier.wantsToKnow)
        transcript.notifier.exists("b", in: try transcript.directory)
        #expect(transcript.answer([:]) == ["revalidate"])
        #expect(transcript.tree.removedPaths.isEmpty)
        #expect(transcript.batch() == ["ask /a/b", "ask /a"])
        #expect(transcript.answer(["/a/b": "v", "/a": .directory("b")]).isEmpty)
    }

    @Test func aKeyThatWasSeenAndIsGoneIsRemovedAfterAll() throws {
        _ = try transcript.changed("/a/b")
        _ = transcript.batch()
        transcript.notifier.exists("b", in: try transcript.directory)
        #expect(transcript.answer([:]) == ["revalidate"])
        #expect(transcript.batch() == ["ask /a/b", "ask /a"])
        let calls = ["inject: unlink a/b", "revalidate"]
        #expect(transcript.answer(["/a": .directory("x")]) == calls)
    }

    /// As by a program that makes it anew.
    @Test func aKeyThatThisMountMakesIsSeen() throws {
        _ = try transcript.changed("/a/b")
        _ = transcript.batch()
        try transcript.write("v", to: "/a/b")
        #expect(transcript.answer([:]) == ["revalidate"])
    }

    // MARK: Connections

    @Test func aReconnectionAsksForAllThatIsKnown() throws {
        transcript.notifier.disconnected()
        transcript.notifier.isActive = true
        #expect(transcript.lines(transcript.notifier.anythingChanged()) == ["revalidate"])
        #expect(transcript.batch() == ["ask /", "ask /a", "ask /a/b"])
        let answers: [String: FakeStat] = [
            "/": .directory("a"), "/a": .directory("b", "n"), "/a/b": "new",
        ]
        #expect(transcript.answer(answers) == ["inject: modify a/b", "revalidate"])
        #expect(transcript.batch() == ["ask /a/n"])
    }

    @Test func aLostConnectionDropsAll() throws {
        _ = try transcript.begin("/a/c")
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        transcript.notifier.disconnected()
        #expect(transcript.batch().isEmpty)
        #expect(transcript.answer([:]).isEmpty)
        #expect(!transcript.notifier.hasLocalChange(at: try XenstorePath("/a/c")))
        transcript.notifier.isActive = true
        #expect(try transcript.change("/a/b", ["/a/b": "new"]) == ["inject: modify a/b"])
    }

    @Test func answersOfALostConnectionAreNoEvents() throws {
        _ = try transcript.changed("/a/b")
        _ = transcript.batch()
        transcript.notifier.disconnected()
        #expect(transcript.answer(["/a/b": "new"]).isEmpty)
    }
}
