import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

/// Domains that come and go.
struct DomainTests {
    let clients = StoreClients()
    let dom0: StoreClient

    init() {
        dom0 = clients.client()
    }

    @Test func introductionIsKnown() {
        #expect(dom0(.isDomainIntroduced(.privileged)) == "T|")
        #expect(dom0(.isDomainIntroduced(DomainID(3))) == "F|")
        #expect(dom0(.introduce(DomainID(3), frame: -1, eventChannel: 0)) == "EINVAL")
        #expect(dom0(.introduce(DomainID(3), frame: -1, eventChannel: 7)) == "OK|")
        #expect(dom0(.isDomainIntroduced(DomainID(3))) == "T|")
        #expect(dom0(.resume(DomainID(3))) == "OK|")
        #expect(dom0(.resume(DomainID(4))) == "ENOENT")
        #expect(dom0(.resume(.privileged)) == "EINVAL")
        #expect(dom0(.release(.privileged)) == "EINVAL")
        #expect(dom0(.release(DomainID(4))) == "ENOENT")
    }

    @Test func whatAReleasedDomainOwnsGoesWithIt() {
        dom0(.introduce(DomainID(3), frame: 1, eventChannel: 1))
        dom0(.write("/local/domain/3/data/deep", "x"))
        dom0(.setPermissions("/local/domain/3/data", "n3"))
        dom0(.write("/shared", "stays"))
        dom0(.setPermissions("/shared", "n0,r3,r4"))
        let guest = clients.client(as: DomainID(3))
        guest(.watch("/", "own"))
        dom0(.watch("/local", "t"))
        _ = dom0.events()
        #expect(dom0(.release(DomainID(3))) == "OK|")
        #expect(dom0.events() == ["/local/domain/3/data t"])
        #expect(dom0(.directory("/local/domain/3")) == "")
        #expect(dom0(.getPermissions("/shared")) == "n0|r4|")
        #expect(clients.closed == [guest.id])
        #expect(guest(.read("/shared")) == "no reply")
        #expect(dom0(.isDomainIntroduced(DomainID(3))) == "F|")
    }

    @Test func introducingAgainBeginsTheDomainsConnectionsAnew() {
        dom0(.introduce(DomainID(3), frame: 1, eventChannel: 1))
        let guest = clients.client(as: DomainID(3))
        guest(.watch("/", "t"))
        let transaction = guest.begin()
        dom0(.introduce(DomainID(3), frame: 1, eventChannel: 1))
        #expect(clients.store.watchCount == 0)
        #expect(guest(.read("/"), in: transaction) == "ENOENT")
    }

    @Test func featuresAreSetBeforeIntroduction() {
        #expect(dom0(.getFeature(nil)) == "12|")
        #expect(dom0(.setFeature(DomainID(3), features: 4)) == "OK|")
        #expect(dom0(.getFeature(DomainID(3))) == "4|")
        #expect(dom0(.setFeature(DomainID(3), features: 1)) == "EINVAL")
        dom0(.introduce(DomainID(3), frame: 1, eventChannel: 1))
        #expect(dom0(.setFeature(DomainID(3), features: 4)) == "EBUSY")
    }

    @Test func domainsCanBeIntroducedFromTheStart() {
        let configuration = StoreConfiguration(introducedDomains: [DomainID(8)])
        let client = StoreClients(Store(configuration: configuration)).client()
        #expect(client(.isDomainIntroduced(DomainID(8))) == "T|")
    }
}
