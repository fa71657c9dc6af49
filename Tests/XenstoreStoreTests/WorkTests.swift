import Glibc
import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

/// What requests of a guest cost the store, and so all who wait for it.
@Suite(.serialized)
struct WorkTests {
    private static let domain = DomainID(5)

    private func chain(_ depth: Int) throws -> XenstorePath {
        try XenstorePath(Array(repeatElement("a", count: depth)).joined(separator: "/"))
    }

    private func withHome() -> (host: StoreClient, guest: StoreClient) {
        let clients = StoreClients()
        let host = clients.client()
        host(.makeDirectory("/local/domain/5"))
        host(.setPermissions("/local/domain/5", "n5"))
        return (host, clients.client(as: Self.domain))
    }

    /// The least processor time of some runs, as the machine is not this test's alone.
    private func time(_ body: () -> Void) -> Duration {
        var least = Duration.seconds(3600)
        for _ in 0..<7 {
            let start = worked()
            body()
            least = min(least, worked() - start)
        }
        return least
    }

    /// How long this thread has worked.
    private func worked() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    /// Four times the nodes, each four times as deep, take four times as long, not sixteen times.
    private func expectInProportion(_ name: String, _ body: (XenstorePath) -> Void) throws {
        let (shallow, deep) = (try chain(240), try chain(960))
        let few = time { body(shallow) }
        let many = time { body(deep) }
        #expect(many < few * 9, "\(name): \(few) for 240 nodes, \(many) for 960")
    }

    @Test func treesAreMadeAndRemovedInTheTimeOfTheirNodes() throws {
        let (host, guest) = withHome()
        try expectInProportion("made and removed") { path in
            #expect(guest(.makeDirectory(path)) == "OK|")
            #expect(guest(.remove("a")) == "OK|")
        }
        // A watch below has each node's watches looked at.
        guest(.watch(try chain(950), "t"))
        try expectInProportion("with a watch") { path in
            #expect(guest(.makeDirectory(path)) == "OK|")
            #expect(guest(.remove("a")) == "OK|")
        }
        #expect(guest(.resetWatches) == "OK|")
        try expectInProportion("with entries of a domain that goes") { path in
            host(.introduce(DomainID(7), frame: 1, eventChannel: 1))
            host(.write("/top", ""))
            host(.setPermissions("/top", "n0,r7"))
            guard let deep = try? XenstorePath("/top/" + path.text) else { return }
            host(.makeDirectory(deep))
            #expect(host(.release(DomainID(7))) == "OK|")
            #expect(host(.getPermissions(deep)) == "n0|")
            host(.remove("/top"))
        }
    }

    @Test func transactionsTakeTheTimeOfTheirNodes() throws {
        let (host, guest) = withHome()
        try expectInProportion("rolled back") { path in
            #expect(guest(.makeDirectory(path)) == "OK|")
            let transaction = guest.begin()
            #expect(guest(.remove("a"), in: transaction) == "OK|")
            #expect(guest(.transactionEnd(commit: false), in: transaction) == "OK|")
            guest(.remove("a"))
        }
        for isMerged in [false, true] {
            try expectInProportion("merged: \(isMerged)") { path in
                for request in [Request.makeDirectory(path), .remove("a")] {
                    let transaction = guest.begin()
                    #expect(guest(request, in: transaction) == "OK|")
                    if isMerged { host(.write("/elsewhere", "")) }
                    #expect(guest(.transactionEnd(commit: true), in: transaction) == "OK|")
                }
            }
        }
    }

    /// So many events that a guest has no room for them are not even made.
    @Test func theEventsOfOneRequestAreBounded() throws {
        let (host, guest) = withHome()
        for number in 0..<100 { #expect(guest(.watch("w", "\(number)")) == "OK|") }
        host(.watch("/", "t"))
        _ = (guest.events(), host.events())
        let transaction = host.begin()
        for number in 0..<500 {
            host(.write(try XenstorePath("/local/domain/5/w/\(number)"), ""), in: transaction)
        }
        #expect(host(.transactionEnd(commit: true), in: transaction) == "OK|")
        let count = guest.events().count
        #expect((5000...10_000).contains(count), "50 000 were due, and \(count) came")
        #expect(host.events().count == 500, "the privileged domain gets all")
        // The next request's have room again: nothing waits in this test.
        host(.write("/local/domain/5/w/x", ""))
        #expect(guest.events().count == 100)
    }
}
