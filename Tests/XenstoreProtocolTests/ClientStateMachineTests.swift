import Testing
import XenstoreProtocol

/// The client's side of a connection, as transcripts.
struct ClientStateMachineTests {
    private typealias Machine = ClientStateMachine<String>

    /// What came of a message, as text.
    private func outcome(_ received: Machine.Received) -> String {
        switch received {
        case .resume(let waiter, .success(let payload)):
            "\(waiter): \(String(decoding: payload, as: UTF8.self))"
        case .resume(let waiter, .failure(let error)): "\(waiter): \(error)"
        case .began(let id, let waiter): "\(waiter ?? "nobody") began \(id.rawValue)"
        case .event(let event): "event \(event.path)"
        case .ignore: "ignored"
        case .violation(let violation): "violation \(violation)"
        }
    }

    private func reply(
        _ type: MessageType,
        _ id: RequestID?,
        _ payload: String = "OK\0"
    ) -> Message {
        Message(type, requestID: id ?? RequestID(0), payload: Array(payload.utf8))
    }

    @Test func repliesReachTheirWaitersInAnyOrder() {
        var machine = Machine()
        let first = machine.sent(.read, waiter: "first")
        let second = machine.sent(.write, waiter: "second")
        #expect(first != second)
        #expect(machine.outstandingCount == 2)
        #expect(outcome(machine.received(reply(.write, second))) == "second: OK\0")
        #expect(outcome(machine.received(reply(.read, first, "v"))) == "first: v")
        #expect(machine.outstandingCount == 0)
    }

    @Test func errorsAreTypedAndUnknownNamesKept() {
        var machine = Machine()
        for name in ["ENOENT", "EQUOTA", "EWEIRD"] {
            let id = machine.sent(.read, waiter: "w")
            let answer = outcome(machine.received(reply(.error, id, name + "\0")))
            #expect(answer == "w: the store refused: \(name)")
        }
    }

    @Test func aLateReplyToACancelledRequestIsDropped() {
        var machine = Machine()
        let cancelled = machine.sent(.read, waiter: "left")
        #expect(cancelled.flatMap { machine.cancelled($0) } == "left")
        #expect(machine.outstandingCount == 1)
        let next = machine.sent(.read, waiter: "next")
        #expect(next != cancelled)
        #expect(outcome(machine.received(reply(.read, cancelled, "old"))) == "ignored")
        #expect(outcome(machine.received(reply(.read, next, "new"))) == "next: new")
        #expect(cancelled.flatMap { machine.cancelled($0) } == nil)
    }

    @Test func aRequestThatWasNotWrittenIsForgottenAtOnce() {
        var machine = Machine()
        let id = machine.sent(.read, waiter: "w")
        #expect(id.flatMap { machine.cancelled($0, wasWritten: false) } == "w")
        #expect(machine.outstandingCount == 0)
        #expect(outcome(machine.received(reply(.read, id))).hasPrefix("violation"))
    }

    @Test func anAbandonedRequestThatWasNotWrittenIsForgottenToo() {
        var machine = Machine()
        let id = machine.sent(.read, waiter: "w")
        #expect(id.flatMap { machine.cancelled($0) } == "w")
        #expect(machine.outstandingCount == 1)
        #expect(id.flatMap { machine.cancelled($0, wasWritten: false) } == nil)
        #expect(machine.outstandingCount == 0)
    }

    @Test func aReusedSlotHasAnotherNumber() {
        var machine = Machine()
        let first = machine.sent(.read, waiter: "a")
        _ = machine.received(reply(.read, first))
        let second = machine.sent(.read, waiter: "b")
        #expect(first != second)
        let late = outcome(machine.received(reply(.read, first)))
        #expect(late.hasPrefix("violation unexpectedReply"))
        #expect(outcome(machine.received(reply(.read, second, "x"))) == "b: x")
    }

    @Test func repliesThatAnswerNothingAreViolations() {
        var machine = Machine()
        let unknown = outcome(machine.received(reply(.read, RequestID(99))))
        #expect(unknown.hasPrefix("violation unexpectedReply"))
        let id = machine.sent(.read, waiter: "w")
        let wrong = outcome(machine.received(reply(.write, id)))
        #expect(wrong == "violation wrongReplyType(rawType: 11)")
        #expect(machine.closed() == ["w"])
    }

    @Test func eventsAreKnownByTheirTypeAlone() {
        var machine = Machine()
        let id = machine.sent(.watch, waiter: "w")
        let event = reply(.watchEvent, id, "/a\0token\0")
        #expect(outcome(machine.received(event)) == "event /a")
        #expect(outcome(machine.received(reply(.watch, id))) == "w: OK\0")
        for payload in ["/a\0token", "/a\0", "", "/a b\0t\0", "/a\0t\0x\0"] {
            let malformed = outcome(machine.received(reply(.watchEvent, nil, payload)))
            #expect(malformed == "violation malformedPayload(rawType: 15)", "\(payload)")
        }
    }

    @Test func waitersAreReplacedWhileTheyWait() {
        var machine = Machine()
        let id = machine.sent(.read, waiter: "old")
        #expect(id.map { machine.setWaiter("new", for: $0) } == true)
        #expect(outcome(machine.received(reply(.read, id, "v"))) == "new: v")
        #expect(id.map { machine.setWaiter("late", for: $0) } == false)
    }

    @Test func theEndGivesAllWaitersBack() {
        var machine = Machine()
        for name in ["a", "b", "c"] { _ = machine.sent(.read, waiter: name) }
        let left = machine.sent(.read, waiter: "left")
        _ = left.flatMap { machine.cancelled($0) }
        #expect(machine.closed() == ["a", "b", "c"])
        #expect(machine.outstandingCount == 0)
        #expect(machine.closed() == [])
    }

    @Test func requestsOnTheirWayAreBounded() {
        var machine = Machine()
        for _ in 0..<Machine.maximumOutstanding {
            guard machine.sent(.read, waiter: "w") != nil else {
                Issue.record("refused below the limit")
                return
            }
        }
        #expect(machine.sent(.read, waiter: "one too many") == nil)
        #expect(machine.outstandingCount == Machine.maximumOutstanding)
    }

    @Test func aTransactionThatNobodyWaitsForIsTold() {
        var machine = Machine()
        let first = machine.sent(.transactionStart, waiter: "a")
        #expect(outcome(machine.received(reply(.transactionStart, first, "7\0"))) == "a began 7")
        let second = machine.sent(.transactionStart, waiter: "b")
        #expect(machine.cancelled(second ?? RequestID(0)) == "b")
        let late = outcome(machine.received(reply(.transactionStart, second, "8\0")))
        #expect(late == "nobody began 8")
    }

    @Test func aKernelMayLeaveTheNumbersOfWatchRepliesUnset() {
        var machine = Machine(watchRepliesMayBeUnnumbered: true)
        let read = machine.sent(.read, waiter: "read")
        _ = machine.sent(.watch, waiter: "first")
        _ = machine.sent(.watch, waiter: "second")
        _ = machine.sent(.unwatch, waiter: "third")
        #expect(outcome(machine.received(reply(.watch, nil))) == "first: OK\0")
        #expect(outcome(machine.received(reply(.watch, nil))) == "second: OK\0")
        #expect(outcome(machine.received(reply(.unwatch, nil))) == "third: OK\0")
        #expect(outcome(machine.received(reply(.read, read, "v"))) == "read: v")
    }
}
