import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

/// Which events come, and when.
struct WatchTests {
    let clients = StoreClients()
    let dom0: StoreClient
    let watcher: StoreClient

    init() {
        dom0 = clients.client()
        watcher = clients.client()
    }

    @Test func aWatchHearsOnceAtOnceAfterTheReply() {
        let message = Message(.watch, payload: Array("/a\0token\0".utf8))
        let effects = clients.store.handle(message, from: watcher.id)
        let okay = Message(.watch, payload: Array("OK\0".utf8))
        let event = Message(.watchEvent, payload: Array("/a\0token\0".utf8))
        #expect(effects == [.send(okay, to: watcher.id), .send(event, to: watcher.id)])
    }

    @Test func aChangeIsToldBeforeItsReply() {
        dom0(.watch("/a", "t"))
        let message = Message(.write, requestID: RequestID(3), payload: Array("/a/b\0v".utf8))
        let effects = clients.store.handle(message, from: dom0.id)
        let event = Message(.watchEvent, payload: Array("/a/b\0t\0".utf8))
        let okay = Message(.write, requestID: RequestID(3), payload: Array("OK\0".utf8))
        #expect(effects == [.send(event, to: dom0.id), .send(okay, to: dom0.id)])
    }

    @Test func changesOfAllKindsAreTold() {
        watcher(.watch("/a", "t"))
        _ = watcher.events()
        dom0(.write("/a/b/c", "1"))
        #expect(watcher.events() == ["/a/b/c t"])
        dom0(.makeDirectory("/a/b/c"))
        #expect(watcher.events() == [])
        dom0(.makeDirectory("/a/d"))
        #expect(watcher.events() == ["/a/d t"])
        dom0(.setPermissions("/a", "r0"))
        #expect(watcher.events() == ["/a t"])
        dom0(.remove("/a/b"))
        #expect(watcher.events() == ["/a/b t"])
        dom0(.remove("/a/b"))
        dom0(.write("/ab", ""))
        dom0(.write("/", ""))
        #expect(watcher.events() == [])
    }

    @Test func theRemovalOfAParentIsToldWithTheWatchedPath() {
        dom0(.write("/a/b/c", ""))
        dom0(.write("/a/b/d", ""))
        dom0(.write("/a/e", ""))
        for path: XenstorePath in ["/a", "/a/b", "/a/b/c", "/a/b/d", "/a/e", "/a/none"] {
            watcher(.watch(path, "t"))
        }
        _ = watcher.events()
        dom0(.remove("/a"))
        #expect(
            watcher.events() == [
                "/a/b/c t", "/a/b/d t", "/a/b t", "/a/e t", "/a t",
            ]
        )
    }

    @Test func relativeWatchesHearRelativePaths() {
        watcher(.watch("x", "t"))
        #expect(watcher.events() == ["x t"])
        dom0(.write("/local/domain/0/x/y", ""))
        #expect(watcher.events() == ["x/y t"])
        #expect(watcher(.watch("/local/domain/0/x", "t")) == "EEXIST")
    }

    @Test func depthBoundsWhatIsHeard() {
        watcher(.watch("/a", "0", depth: 0))
        watcher(.watch("/a", "1", depth: 1))
        watcher(.watch("/", "2", depth: 2))
        _ = watcher.events()
        dom0(.write("/a/b/c", ""))
        #expect(watcher.events() == [])
        dom0(.write("/a/b", ""))
        #expect(watcher.events() == ["/a/b 1", "/a/b 2"])
        dom0(.write("/a", ""))
        #expect(watcher.events() == ["/a 0", "/a 1", "/a 2"])
    }

    @Test func watchesAreKeyedByPathAndToken() {
        #expect(watcher(.watch("/a", "1")) == "OK|")
        #expect(watcher(.watch("/a", "1")) == "EEXIST")
        #expect(watcher(.watch("/a", "2")) == "OK|")
        #expect(dom0(.watch("/a", "1")) == "OK|")
        #expect(watcher(.unwatch("/a", "3")) == "ENOENT")
        #expect(watcher(.unwatch("/b", "1")) == "ENOENT")
        #expect(watcher(.unwatch("/a", "1")) == "OK|")
        #expect(watcher(.unwatch("/a", "1")) == "ENOENT")
        _ = watcher.events()
        _ = dom0.events()
        dom0(.write("/a", ""))
        #expect(watcher.events() == ["/a 2"])
        #expect(dom0.events() == ["/a 1"])
    }

    @Test func endsTakeWatchesAndTransactionsAlong() {
        watcher(.watch("/a", "t"))
        let transaction = watcher.begin()
        #expect(watcher(.resetWatches) == "OK|")
        #expect(watcher(.read("/"), in: transaction) == "ENOENT")
        watcher(.watch("/b", "t"))
        _ = watcher.begin()
        _ = watcher.events()
        watcher.disconnect()
        #expect(clients.store.watchCount == 0)
        #expect(clients.store.transactionCount == 0)
        dom0(.write("/a", ""))
        #expect(watcher.events() == [])
    }

    @Test func aGuestHearsWhatItMayOrMightRead() {
        let guest = clients.client(as: DomainID(1))
        dom0(.write("/a/b", ""))
        #expect(guest(.watch("/a", "t")) == "OK|")
        #expect(guest.events() == ["/a t"])
        dom0(.write("/a/b", "1"))
        #expect(guest.events() == [])
        dom0(.setPermissions("/a/b", "r0"))
        #expect(guest.events() == ["/a/b t"])
        dom0(.write("/a/b", "2"))
        #expect(guest.events() == ["/a/b t"])
        dom0(.setPermissions("/a/b", "n0"))
        #expect(guest.events() == ["/a/b t"])
        dom0(.setPermissions("/a", "r0"))
        _ = guest.events()
        dom0(.remove("/a/b"))
        #expect(guest.events() == ["/a/b t"])
    }

    @Test func domainsThatComeAndGoAreTold() {
        watcher(.watch("@introduceDomain", "in"))
        watcher(.watch("@introduceDomain", "in1", depth: 1))
        watcher(.watch("@releaseDomain", "out"))
        watcher(.watch("@releaseDomain/4", "out4"))
        _ = watcher.events()
        #expect(dom0(.introduce(DomainID(4), frame: 1, eventChannel: 2)) == "OK|")
        #expect(watcher.events() == ["@introduceDomain in", "@introduceDomain/4 in1"])
        #expect(dom0(.introduce(DomainID(4), frame: 1, eventChannel: 2)) == "OK|")
        #expect(watcher.events() == [])
        #expect(dom0(.release(DomainID(4))) == "OK|")
        #expect(watcher.events() == ["@releaseDomain out", "@releaseDomain/4 out4"])
    }

    @Test func specialWatchesAreGrantedByPermissions() {
        let guest = clients.client(as: DomainID(1))
        guest(.watch("@releaseDomain", "t"))
        #expect(guest.events() == ["@releaseDomain t"])
        dom0(.introduce(DomainID(4), frame: 1, eventChannel: 2))
        dom0(.release(DomainID(4)))
        #expect(guest.events() == [])
        dom0(.setPermissions("@releaseDomain", "n0,r1"))
        _ = guest.events()
        dom0(.introduce(DomainID(4), frame: 1, eventChannel: 2))
        dom0(.release(DomainID(4)))
        #expect(guest.events() == ["@releaseDomain t"])
    }

    @Test func depthNeedsItsFeature() {
        dom0(.setFeature(DomainID(1), features: 0))
        let guest = clients.client(as: DomainID(1))
        #expect(guest(.watch("/a", "t", depth: 1)) == "EINVAL")
        #expect(guest(.watch("/a", "t")) == "OK|")
    }
}
