import ChangeNotification
import Testing
import XenstoreProtocol

/// The calls that the agent is to make, and when it gets them.
@Suite struct AgentTests {
    // MARK: Speculation

    private func speculation() throws -> Transcript {
        let transcript = try Transcript()
        try transcript.tree.knowFile("/a/b")
        #expect(try transcript.changed("/a/b") == ["revalidate"])
        let actions = ["inject after the question: modify a/b", "cancel later: b"]
        #expect(transcript.batch() == ["ask file /a/b"] + actions)
        return transcript
    }

    /// Whether a call at the agent is to be carried out; nil where that is not known yet.
    private func decision(of call: Transcript.Notifier.Call) -> () -> Bool? {
        var decision: Bool?
        call.whenKnown { decision = $0 }
        return { decision }
    }

    @Test func aWriteConfirmsTheCallAtTheAgent() throws {
        let transcript = try speculation()
        let call = try #require(transcript.speculative.first)
        let decision = decision(of: call)
        #expect(decision() == nil)
        #expect(transcript.answer(["/a/b": "longer"]).isEmpty)
        #expect(decision() == true)
        #expect(call.shown.size == "longer".count)
        // It is too late for that.
        call.cancel()
        #expect(decision() == true)
        #expect(transcript.agentIsDone().isEmpty)
    }

    @Test func anythingElseCancelsIt() throws {
        let transcript = try speculation()
        let decision = decision(of: try #require(transcript.speculative.first))
        #expect(transcript.answer([:]) == ["revalidate"])
        #expect(decision() == false)
        #expect(transcript.agentIsDone() == ["inject: unlink a/b"])
    }

    @Test func newPermissionsCancelIt() throws {
        let transcript = try speculation()
        let decision = decision(of: try #require(transcript.speculative.first))
        #expect(transcript.answer(["/a/b": FakeStat("old", everyone: .read)]).isEmpty)
        #expect(decision() == false)
        #expect(transcript.agentIsDone() == ["inject: attrib a/b"])
    }

    /// A store that is slow keeps nobody from the file, and what it says is told all the same.
    @Test func aCallThatWaitsTooLongIsMadeAgain() throws {
        let transcript = try speculation()
        let call = try #require(transcript.speculative.first)
        let decision = decision(of: call)
        call.cancel()
        #expect(decision() == false)
        #expect(transcript.agentIsDone().isEmpty)
        #expect(transcript.answer(["/a/b": "new"]) == ["inject: modify a/b"])
    }

    @Test(arguments: [true, false])
    func itEndsWithTheAgent(isReplaced: Bool) throws {
        let transcript = try speculation()
        let decision = decision(of: try #require(transcript.speculative.first))
        if isReplaced {
            #expect(transcript.agentHasStarted().isEmpty)
        } else {
            transcript.notifier.agentHasEnded()
        }
        #expect(decision() == false)
        let calls = isReplaced ? ["inject: modify a/b"] : []
        #expect(transcript.answer(["/a/b": "new"]) == calls)
    }

    /// More changes than these come together, and gather anyway.
    @Test(arguments: [NotifierLimits.speculativeCalls, NotifierLimits.speculativeCalls + 1])
    func aFewCallsAreSpeculative(count: Int) throws {
        let names = (0..<count).map { "k\($0)" }
        let files = Dictionary(uniqueKeysWithValues: names.map { ($0, FakeStat("1")) })
        let transcript = try Transcript(files)
        for name in names {
            try transcript.tree.knowFile("/a/\(name)")
            _ = try transcript.changed("/a/\(name)")
        }
        let isFew = count <= NotifierLimits.speculativeCalls
        #expect(transcript.batch().count == (isFew ? count + 2 : count))
        #expect(transcript.speculative.map(\.name) == (isFew ? names : []))
    }

    /// It has something to do, and its calls go before.
    @Test func aBusyAgentGetsNoSpeculativeCall() throws {
        let transcript = try Transcript()
        try transcript.tree.knowFile("/a/b")
        #expect(try transcript.change("/a/n", ["/a/n": ""]) == ["inject: create a/n"])
        _ = try transcript.changed("/a/b")
        #expect(transcript.batch() == ["ask file /a/b"])
    }

    // MARK: Batches

    @Test func manyKeysAreAskedForInBatches() throws {
        let transcript = try Transcript()
        for i in 0..<(NotifierLimits.revalidationBatch + 1) {
            _ = try transcript.changed("/a/k\(i)")
        }
        #expect(transcript.batch().count == NotifierLimits.revalidationBatch)
        #expect(transcript.answer([:]) == ["revalidate"])
        #expect(transcript.batch() == ["ask /a/k\(NotifierLimits.revalidationBatch)"])
        #expect(transcript.answer([:]).isEmpty)
    }

    /// 300 in a second are many; a flood gathers by itself.
    @Test func manyChangesCoalesce() throws {
        let transcript = try Transcript()
        let notifier = transcript.notifier
        for _ in 0..<60 { notifier.noteEvent(at: .zero) }
        #expect(notifier.coalescingDelay(at: .zero) == nil)
        #expect(!notifier.isSteady(at: .zero))
        notifier.noteEvent(at: .zero)
        #expect(notifier.coalescingDelay(at: .zero) == NotifierLimits.coalescingDelay)
        #expect(notifier.isSteady(at: .zero))
        // A batch is full.
        for i in 0..<NotifierLimits.revalidationBatch { _ = try transcript.changed("/a/k\(i)") }
        #expect(notifier.coalescingDelay(at: .zero) == nil)
        _ = transcript.batch()
        // The window after is like the one before, and the one after that says nothing.
        #expect(notifier.coalescingDelay(at: .milliseconds(200)) != nil)
        #expect(notifier.coalescingDelay(at: .milliseconds(600)) == nil)
        for _ in 0...1000 { notifier.noteEvent(at: .milliseconds(600)) }
        #expect(!notifier.isSteady(at: .milliseconds(600)))
        #expect(!notifier.isSteady(at: .milliseconds(800)))
    }

    // MARK: The queue

    @Test func oneBatchIsAtTheAgentAtATime() throws {
        let transcript = try Transcript(hasAgent: false)
        let count = NotifierLimits.callBatch + 1
        for i in 0..<count { _ = try transcript.changed("/a/k\(i)") }
        _ = transcript.batch()
        let stats = Dictionary(
            uniqueKeysWithValues: (0..<count).map { ("/a/k\($0)", FakeStat("")) }
        )
        #expect(transcript.answer(stats).isEmpty)
        #expect(transcript.notifier.callCounts == (sent: 0, waiting: count))
        let first = (0..<NotifierLimits.callBatch).map { "create a/k\($0)" }
        let line = "inject: " + first.joined(separator: ", ")
        #expect(transcript.agentHasStarted() == [line])
        #expect(transcript.notifier.callCounts == (sent: NotifierLimits.callBatch, waiting: 1))
        #expect(transcript.agentIsDone() == ["inject: create a/k\(NotifierLimits.callBatch)"])
        #expect(transcript.agentIsDone().isEmpty)
    }

    /// A call that ends it would end the next one, too.
    @Test func anotherAgentGetsTheRestOnce() throws {
        let transcript = try Transcript()
        let parent = try transcript.directory
        for name in ["m", "n"] { _ = try transcript.changed("/a/\(name)") }
        _ = transcript.batch()
        let calls = ["inject: create a/m, create a/n"]
        #expect(transcript.answer(["/a/m": "", "/a/n": ""]) == calls)
        transcript.notifier.finish(try transcript.call("m", in: parent))
        #expect(transcript.agentHasStarted() == ["inject: create a/n"])
        #expect(transcript.agentHasStarted().isEmpty)
    }

    @Test func withoutAnAgentNothingWaits() throws {
        let transcript = try Transcript()
        #expect(try transcript.change("/a/n", ["/a/n": ""]) == ["inject: create a/n"])
        #expect(try transcript.change("/a/m", ["/a/m": ""]).isEmpty)
        transcript.notifier.agentHasEnded()
        #expect(transcript.notifier.callCounts == (sent: 1, waiting: 0))
        #expect(try transcript.change("/a/o", ["/a/o": ""]).isEmpty)
        #expect(transcript.notifier.callCounts == (sent: 1, waiting: 1))
    }

    @Test func whatWaitsAlreadyIsNotAdded() throws {
        let transcript = try Transcript(hasAgent: false)
        for value in ["1", "2", "3"] {
            _ = try transcript.change("/a/b", ["/a/b": FakeStat(value)])
        }
        #expect(transcript.agentHasStarted() == ["inject: modify a/b"])
    }

    /// inotify tells of them in their order.
    @Test func whatIsBetweenIsKept() throws {
        let transcript = try Transcript(hasAgent: false)
        for stat in ["1", FakeStat("1", everyone: .read), FakeStat("2", everyone: .read)] {
            _ = try transcript.change("/a/b", ["/a/b": stat])
        }
        let calls = ["inject: modify a/b, attrib a/b, modify a/b"]
        #expect(transcript.agentHasStarted() == calls)
    }

    @Test func tooManyCallsAreLostAndReported() throws {
        let transcript = try Transcript([:], hasAgent: false)
        let names = (0..<NotifierLimits.revalidationBatch).map { "k\($0)" }
        func change(_ turn: Int) throws -> [String] {
            let stat = FakeStat("\(turn)", everyone: turn % 2 == 0 ? .read : [])
            for name in names { _ = try transcript.changed("/a/\(name)") }
            _ = transcript.batch()
            return transcript.answer(
                Dictionary(uniqueKeysWithValues: names.map { ("/a/\($0)", stat) })
            )
        }
        // Each turn is two calls a key: create and modify, or modify and attrib.
        let turns = NotifierLimits.pendingCalls / (2 * names.count)
        for turn in 1...turns { #expect(try change(turn).isEmpty) }
        #expect(transcript.notifier.callCounts.waiting == NotifierLimits.pendingCalls)
        #expect(try change(turns + 1) == ["report loss"])
        #expect(try change(turns + 2).isEmpty)
        #expect(transcript.notifier.callCounts.waiting == NotifierLimits.pendingCalls)
    }

    // MARK: Removals

    /// It may be a program's working directory.
    @Test func aRemovalIsRefusedIfTheKeyIsThereAgain() throws {
        let transcript = try Transcript()
        let parent = try transcript.directory
        #expect(try transcript.change("/a/b", [:]) == ["inject: unlink a/b", "revalidate"])
        _ = transcript.batch()
        _ = transcript.answer(["/a": .directory("b")])
        let call = try transcript.call("b", in: parent)
        #expect(transcript.notifier.refuse(call) == nil)
        transcript.notifier.exists("b", in: parent)
        #expect(call.isMadeAgain)
        let actions = try #require(transcript.notifier.refuse(call))
        #expect(transcript.lines(actions).isEmpty)
        #expect(transcript.notifier.call(for: "b", in: parent) == nil)
    }

    /// What is gone after all is told later.
    @Test func aRemovalThatIsLeftIsAskedForAgain() throws {
        let transcript = try Transcript()
        let parent = try transcript.directory
        #expect(try transcript.change("/a/b", [:]) == ["inject: unlink a/b", "revalidate"])
        #expect(transcript.batch() == ["ask /a"])
        #expect(transcript.answer(["/a": .directory("x")]) == ["revalidate"])
        let call = try transcript.call("b", in: parent)
        #expect(transcript.lines(transcript.notifier.leave(call)).isEmpty)
        #expect(transcript.agentIsDone().isEmpty)
        #expect(transcript.batch() == ["ask /a/x", "ask /a/b"])
        #expect(
            transcript.answer(["/a/x": ""]) == ["inject: create a/x, unlink a/b", "revalidate"]
        )
    }

    /// Nobody has looked the directory up: only what was told of it says that it was one.
    @Test func aRemovedDirectoryThatIsLeftWasADirectory() throws {
        let transcript = try Transcript(["b": "old", "d": .directory("x")])
        let calls = ["inject: rmdir a/d", "revalidate"]
        #expect(try transcript.change("/a/d", [:]) == calls)
        let call = try transcript.call("d", in: transcript.directory)
        #expect(transcript.lines(transcript.notifier.leave(call)).isEmpty)
        #expect(transcript.batch() == ["ask /a", "ask /a/d"])
        #expect(transcript.answer(["/a": .directory("b")]) == ["revalidate"])
        #expect(transcript.agentIsDone() == ["inject: rmdir a/d"])
    }

    /// Nobody would answer, and with the next connection all is asked for.
    @Test func aRemovalThatIsLeftWithoutAConnectionIsNoQuestion() throws {
        let transcript = try Transcript()
        #expect(try transcript.change("/a/b", [:]) == ["inject: unlink a/b", "revalidate"])
        let call = try transcript.call("b", in: transcript.directory)
        transcript.notifier.exists("b", in: try transcript.directory)
        transcript.notifier.disconnected()
        #expect(transcript.batch().isEmpty)
        #expect(transcript.answer([:]).isEmpty)
        let actions = try #require(transcript.notifier.refuse(call))
        #expect(transcript.lines(actions).isEmpty)
        #expect(transcript.agentIsDone().isEmpty)
        transcript.notifier.isActive = true
        #expect(transcript.lines(transcript.notifier.anythingChanged()) == ["revalidate"])
        #expect(transcript.batch() == ["ask /", "ask /a", "ask /a/b"])
        let answers: [String: FakeStat] = ["/": .directory("a"), "/a": .directory("x")]
        #expect(transcript.answer(answers).first == "inject: unlink a/b")
    }

    /// This mount makes it, or a key below it, at this moment.
    @Test func aRemovalIsRefusedIfTheKeyIsBeingMade() throws {
        let transcript = try Transcript()
        let parent = try transcript.directory
        #expect(try transcript.change("/a/b", [:]) == ["inject: unlink a/b", "revalidate"])
        let call = try transcript.call("b", in: parent)
        let number = try transcript.begin("/a/b/x")
        #expect(transcript.notifier.refuse(call) != nil)
        try transcript.end(number, .write(XenstorePath("/a/b/x"), value: []))
    }

    @Test func aRemovalIsRefusedIfThisMountHasMadeTheKey() throws {
        let transcript = try Transcript(["b": "old", "d": .directory("x")])
        try transcript.tree.know("/a/d", ["x": "1"])
        #expect(try transcript.changed("/a/d") == ["revalidate"])
        #expect(try transcript.changed("/a/b").isEmpty)
        _ = transcript.batch()
        let calls = ["inject: unlink a/d/x, rmdir a/d, unlink a/b", "revalidate"]
        #expect(transcript.answer([:]) == calls)
        let directory = try transcript.call("d", in: transcript.directory)
        let file = try transcript.call("b", in: transcript.directory)
        try transcript.write("", to: "/a/d/y")
        #expect(transcript.notifier.refuse(directory) != nil)
        #expect(transcript.notifier.refuse(file) == nil)
        try transcript.write("new", to: "/a/b")
        #expect(transcript.notifier.refuse(file) != nil)
    }

    /// What it removes itself it does not make.
    @Test func anOwnRemovalRefusesNone() throws {
        let transcript = try Transcript()
        #expect(try transcript.change("/a/b", [:]) == ["inject: unlink a/b", "revalidate"])
        let call = try transcript.call("b", in: transcript.directory)
        let number = try transcript.begin("/a/b", coversBelow: true)
        #expect(transcript.notifier.refuse(call) == nil)
        try transcript.end(number, .remove(XenstorePath("/a/b")))
        #expect(transcript.notifier.refuse(call) == nil)
    }

    /// Even a refused rmdir(2) makes the kernel forget what is below.
    @Test func aRemovalThatIsRefusedIsNotSent() throws {
        let transcript = try Transcript()
        let parent = try transcript.directory
        #expect(try transcript.change("/a/n", ["/a/n": ""]) == ["inject: create a/n"])
        #expect(try transcript.change("/a/b", [:]) == ["revalidate"])
        transcript.notifier.exists("b", in: parent)
        #expect(transcript.agentIsDone().isEmpty)
        #expect(transcript.batch() == ["ask /a", "ask /a/b"])
    }

    @Test func callsOfALostDirectoryAreNotSent() throws {
        let transcript = try Transcript()
        let parent = try transcript.directory
        #expect(try transcript.change("/n", ["/n": ""]) == ["inject: create n"])
        #expect(try transcript.change("/a/n", ["/a/n": ""]).isEmpty)
        transcript.tree.detach(parent)
        #expect(transcript.agentIsDone().isEmpty)
        #expect(try transcript.change("/m", ["/m": ""]) == ["inject: create m"])
    }

    @Test func aCallIsFoundByItsKey() throws {
        let transcript = try Transcript()
        let parent = try transcript.directory
        let file = try transcript.tree.knowFile("/a/c")
        let stat = FakeStat("v", names: ["b"], everyone: .read)
        _ = try transcript.change("/a", ["/a": stat])
        let own = try #require(transcript.notifier.call(for: parent, isDirectory: false))
        #expect(own.isOwnValue)
        let call = try #require(transcript.notifier.call(for: parent, isDirectory: true))
        #expect((call.operation, call.name) == (.changeAttributes, "a"))
        #expect(transcript.notifier.pathOnMount(of: call) == "a")
        #expect(transcript.notifier.call(for: file, isDirectory: false) == nil)
    }
}
