import Glibc
import Reactor
import SystemPackage
import Testing

/// A loop that the test itself turns, on the thread that made it.
@Suite(.timeLimit(.minutes(1)))
struct ReactorTests {
    private func makePipe() throws -> (readEnd: FileDescriptor, writeEnd: FileDescriptor) {
        let (readEnd, writeEnd) = try FileDescriptor.pipe()
        // Programs that other tests start have limits of their own.
        for end in [readEnd, writeEnd] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
        return (readEnd, writeEnd)
    }

    @Test func timersFireInTheOrderOfTheirTimes() throws {
        let loop = try EventLoop()
        var fired: [Int] = []
        let start = ContinuousClock.now
        for delay in [30, 10, 20] {
            _ = loop.schedule(after: .milliseconds(delay)) { fired.append(delay) }
        }
        let forgotten = loop.schedule(after: .milliseconds(15)) { fired.append(15) }
        loop.cancel(forgotten)
        while fired.count < 3 { loop.turn(wait: true) }
        #expect(fired == [10, 20, 30])
        #expect(ContinuousClock.now - start >= .milliseconds(30))
    }

    @Test func timersOfOneTimeFireInTheOrderInWhichTheyWereSet() throws {
        let loop = try EventLoop()
        var fired: [Int] = []
        for number in 0..<5 {
            _ = loop.schedule(after: .milliseconds(number / 2)) { fired.append(number) }
        }
        while fired.count < 5 { loop.turn(wait: true) }
        #expect(fired == [0, 1, 2, 3, 4])
    }

    @Test func aTimerCancelsAnotherThatIsDueToo() throws {
        let loop = try EventLoop()
        var fired: [String] = []
        var second: TimerID?
        _ = loop.schedule(after: .zero) {
            fired.append("first")
            if let second { loop.cancel(second) }
        }
        second = loop.schedule(after: .zero) { fired.append("second") }
        _ = loop.schedule(after: .zero) { fired.append("third") }
        while !fired.contains("third") { loop.turn(wait: true) }
        #expect(fired == ["first", "third"])
    }

    @Test func aTimerThatSetsItselfAgainLetsOthersWork() throws {
        let loop = try EventLoop()
        let pipe = try makePipe()
        var count = 0
        func again() {
            count += 1
            _ = loop.schedule(after: .zero) { again() }
        }
        again()
        var isRead = false
        _ = loop.add(pipe.readEnd, for: .readable) { _ in isRead = true }
        try pipe.writeEnd.writeAll([1])
        while !isRead { loop.turn(wait: true) }
        #expect(count > 0)
    }

    @Test func workThatPutsItselfOffForEverLetsOthersWork() throws {
        let loop = try EventLoop()
        let pipe = try makePipe()
        var count = 0
        func again() {
            count += 1
            precondition(count < 1_000_000, "the descriptor is never looked at")
            loop.later { again() }
        }
        again()
        var isRead = false
        _ = loop.add(pipe.readEnd, for: .readable) { _ in isRead = true }
        try pipe.writeEnd.writeAll([1])
        while !isRead { loop.turn(wait: true) }
        #expect(count > 0)
    }

    @Test func whatHasComeIsTakenBeforeATimerOfTheSameTurn() throws {
        let loop = try EventLoop()
        let pipe = try makePipe()
        var order: [String] = []
        _ = loop.add(pipe.readEnd, for: .readable) { _ in order.append("source") }
        _ = loop.schedule(after: .zero) { order.append("timer") }
        try pipe.writeEnd.writeAll([1])
        loop.turn(wait: true)
        #expect(order == ["source", "timer"])
    }

    @Test func laterIsBeforeTheLoopWaits() throws {
        let loop = try EventLoop()
        var order: [Int] = []
        loop.later {
            order.append(1)
            loop.later { order.append(3) }
        }
        loop.later { order.append(2) }
        #expect(order.isEmpty)
        // It would wait for ever: there is no timer.
        loop.later { _ = loop.schedule(after: .zero) {} }
        loop.turn(wait: true)
        #expect(order == [1, 2, 3])
    }

    @Test func aSourceMayRemoveItselfAndOthers() throws {
        let loop = try EventLoop()
        let pipes = try (0..<3).map { _ in try makePipe() }
        var called: [Int] = []
        var ids: [SourceID] = []
        for (index, pipe) in pipes.enumerated() {
            try pipe.writeEnd.writeAll([1])
            let id = loop.add(pipe.readEnd, for: .readable) { _ in
                called.append(index)
                guard index == 0 else { return }
                loop.remove(ids[0])
                loop.remove(ids[1])
            }
            ids.append(id)
        }
        loop.turn(wait: true)
        loop.turn(wait: true)
        #expect(called == [0, 2, 2])
    }

    /// More than one wait can tell of, and each of them before any is told of twice.
    @Test func manySourcesTakeTurns() throws {
        let loop = try EventLoop()
        var told: [Int] = []
        var pipes: [(readEnd: FileDescriptor, writeEnd: FileDescriptor)] = []
        for number in 0..<600 {
            let pipe = try makePipe()
            try pipe.writeEnd.writeAll([1])
            _ = loop.add(pipe.readEnd, for: .readable) { _ in told.append(number) }
            pipes.append(pipe)
        }
        while told.count < 600 { loop.turn(wait: true) }
        #expect(Set(told.prefix(600)).count == 600)
        for pipe in pipes {
            try pipe.readEnd.close()
            try pipe.writeEnd.close()
        }
    }

    /// The place of a source that is gone goes to another, which hears nothing of the old one. With
    /// a few descriptors, and with many, where the loop waits for them in another way.
    @Test(arguments: [0, 40])
    func whatIsAddedLaterHearsNothingOfWhatWasBefore(others: Int) throws {
        let loop = try EventLoop()
        for _ in 0..<others { _ = loop.add(try makePipe().readEnd, for: .readable) { _ in } }
        let pipes = try [makePipe(), makePipe(), makePipe()]
        for pipe in pipes.prefix(2) { try pipe.writeEnd.writeAll([1]) }
        var sources: [SourceID] = []
        var told: [String] = []
        for index in 0..<2 {
            sources.append(
                loop.add(pipes[index].readEnd, for: .readable) { _ in
                    told.append("old")
                    for source in sources { loop.remove(source) }
                    let new = loop.add(pipes[2].readEnd, for: .readable) { _ in told.append("new") }
                    loop.update(sources[0], interest: .writable)
                    loop.remove(sources[1])
                    #expect(!sources.contains(new))
                }
            )
        }
        loop.turn(wait: true)
        loop.turn(wait: false)
        #expect(told == ["old"])
        try pipes[2].writeEnd.writeAll([1])
        loop.turn(wait: true)
        #expect(told == ["old", "new"])
    }

    /// Interests hold when the loop gets so many descriptors that it waits in another way, in the
    /// midst of telling of those that are ready.
    @Test func manyMayComeAtOnce() throws {
        let loop = try EventLoop()
        let pipes = try (0..<3).map { _ in try makePipe() }
        var told: [Int] = []
        let quiet = loop.add(pipes[0].readEnd, for: .readable) { _ in told.append(0) }
        loop.update(quiet, interest: [])
        for index in 1..<3 {
            _ = loop.add(pipes[index].readEnd, for: .readable) { _ in
                told.append(index)
                guard told == [1] else { return }
                for _ in 0..<40 {
                    if let more = try? makePipe() {
                        _ = loop.add(more.readEnd, for: .readable) { _ in }
                    }
                }
            }
        }
        for pipe in pipes { try pipe.writeEnd.writeAll([1]) }
        loop.turn(wait: true)
        #expect(told == [1, 2])
        loop.turn(wait: true)
        #expect(told.count == 4 && !told.contains(0))
        loop.update(quiet, interest: .readable)
        loop.turn(wait: true)
        #expect(told.contains(0))
    }

    /// A file on a disk is always ready. Among many descriptors it cannot be waited for, and is
    /// told as failed.
    @Test(arguments: [0, 40])
    func aFileIsReady(others: Int) throws {
        let loop = try EventLoop()
        for _ in 0..<others { _ = loop.add(try makePipe().readEnd, for: .readable) { _ in } }
        let file = try FileDescriptor.open("/proc/self/exe", .readOnly)
        var told: [Readiness] = []
        let source = loop.add(file, for: .readable) { told.append($0) }
        loop.turn(wait: false)
        #expect(told.count == 1)
        #expect(told.allSatisfy { !$0.isDisjoint(with: others == 0 ? .readable : .failed) })
        loop.remove(source)
        try file.close()
    }

    @Test func aSourceIsToldOfTheEndOfItsPeer() throws {
        let loop = try EventLoop()
        let pipe = try makePipe()
        var found: Readiness = []
        let id = loop.add(pipe.readEnd, for: []) { found = $0 }
        try pipe.writeEnd.close()
        loop.turn(wait: true)
        #expect(found.isSubset(of: .failed) && !found.isEmpty)
        loop.remove(id)
    }

    @Test func signals() throws {
        let loop = try EventLoop()
        var received: [Int32] = []
        try SignalSource.add([SIGUSR1, SIGUSR2], to: loop) { received.append($0) }
        kill(getpid(), SIGUSR2)
        while received.isEmpty { loop.turn(wait: true) }
        kill(getpid(), SIGUSR1)
        while received.count < 2 { loop.turn(wait: true) }
        #expect(received == [SIGUSR2, SIGUSR1])
    }
}

/// A loop with a thread of its own.
@Suite(.timeLimit(.minutes(1)))
struct LoopThreadTests {
    @Test func aTaskRunsOnTheThread() async throws {
        // Many, as the first job may come before the thread runs or after.
        for _ in 0..<300 {
            let loop = try EventLoop.startThread()
            let isThere = await withTaskExecutorPreference(loop) { loop.isCurrent }
            #expect(isThere)
            #expect(!loop.isCurrent)
            loop.stop()
        }
    }

    /// The process dies of it where this is wrong.
    @Test func aClosedPeerIsAnError() async throws {
        signal(SIGPIPE, SIG_DFL)
        let loop = try EventLoop.startThread()
        defer { loop.stop() }
        let (readEnd, writeEnd) = try FileDescriptor.pipe()
        try readEnd.close()
        await withTaskExecutorPreference(loop) {
            _ = #expect(throws: Errno.brokenPipe) { try writeEnd.writeAvailable([1], from: 0) }
        }
        try writeEnd.close()
    }

    @Test func workFromOtherThreads() async throws {
        final class Counter {
            var numbers: [Int] = []
        }
        let loop = try EventLoop.startThread()
        defer { loop.stop() }
        let counter = LoopBound(Counter(), to: loop)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for number in 0..<500 {
                        counter.later { $0.numbers.append(task * 500 + number) }
                    }
                }
            }
        }
        let numbers = await withTaskExecutorPreference(loop) { counter.value.numbers }
        #expect(numbers.sorted() == Array(0..<4000))
        for task in 0..<8 {
            let own = numbers.filter { $0 / 500 == task }
            #expect(own == own.sorted(), "what one thread submits stays in order")
        }
    }
}
