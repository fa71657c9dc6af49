import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

/// What unprivileged domains may do.
struct PermissionTests {
    let clients = StoreClients()
    let dom0: StoreClient
    let guest: StoreClient

    init() {
        dom0 = clients.client()
        guest = clients.client(as: DomainID(1))
    }

    @Test func whatMayNotBeReadIsNotKnownToExist() {
        dom0(.write("/secret/key", "x"))
        #expect(guest(.read("/secret/key")) == "EACCES")
        #expect(guest(.read("/secret/none")) == "EACCES")
        #expect(guest(.read("/none")) == "EACCES")
        #expect(guest(.getPermissions("/secret")) == "EACCES")
        dom0(.setPermissions("/secret", "r0"))
        #expect(guest(.read("/secret/none")) == "ENOENT")
        #expect(guest(.directory("/secret")) == "key|")
        #expect(guest(.write("/secret/none", "")) == "EACCES")
    }

    @Test func anEntryCountsBeforeTheDefault() {
        dom0(.write("/k", "v"))
        dom0(.setPermissions("/k", "b0,n1"))
        #expect(guest(.read("/k")) == "EACCES")
        #expect(clients.client(as: DomainID(2))(.read("/k")) == "v")
        dom0(.setPermissions("/k", "n0,w1,r2"))
        #expect(guest(.read("/k")) == "EACCES")
        #expect(guest(.write("/k", "new")) == "OK|")
        #expect(clients.client(as: DomainID(2))(.read("/k")) == "new")
    }

    @Test func nodesHaveTheParentsPermissionsAndBelongToWhoMakesThem() {
        dom0(.makeDirectory("/dir"))
        dom0(.setPermissions("/dir", "b5,r7"))
        dom0(.write("/dir/a", ""))
        #expect(dom0(.getPermissions("/dir/a")) == "b5|r7|")
        guest(.write("/dir/x/y", ""))
        #expect(dom0(.getPermissions("/dir/x")) == "b1|r7|")
        #expect(dom0(.getPermissions("/dir/x/y")) == "b1|r7|")
    }

    @Test func onlyTheOwnerSetsPermissionsAndOnlyThePrivilegedGivesAway() {
        dom0(.makeDirectory("/n"))
        dom0(.setPermissions("/n", "b0"))
        #expect(guest(.setPermissions("/n", "b0")) == "EACCES")
        dom0(.setPermissions("/n", "n1"))
        #expect(guest(.setPermissions("/n", "r1,w2")) == "OK|")
        #expect(guest(.setPermissions("/n", "r2")) == "EPERM")
        #expect(dom0(.setPermissions("/n", "r2")) == "OK|")
        #expect(guest(.setPermissions("/n", "r1")) == "EACCES")
    }

    @Test func whoMayWriteANodeMayRemoveIt() {
        dom0(.write("/dir/mine/theirs", ""))
        dom0(.setPermissions("/dir/mine", "n0,b1"))
        dom0(.setPermissions("/dir/mine/theirs", "n0"))
        #expect(guest(.remove("/dir/mine/theirs")) == "EACCES")
        #expect(guest(.remove("/dir/mine")) == "OK|")
        #expect(dom0(.directory("/dir")) == "")
    }

    @Test func administrationIsForThePrivileged() {
        let requests: [Request] = [
            .control([Array("help".utf8)]), .introduce(DomainID(2), frame: 1, eventChannel: 1),
            .release(DomainID(2)), .isDomainIntroduced(DomainID(2)), .resume(DomainID(2)),
            .setTarget(DomainID(1), target: DomainID(2)), .restrict(DomainID(1)),
            .setFeature(DomainID(2), features: 0), .getQuota(nil, name: nil),
            .setQuota(nil, name: "nodes", value: 1), .getFeature(DomainID(2)),
        ]
        for request in requests {
            #expect(guest(request) == "EACCES", "\(request)")
        }
        #expect(guest(.getDomainPath(DomainID(70000))) == "/local/domain/70000|")
        #expect(guest(.getFeature(nil)) == "12|")
    }

    @Test func aStubDomainHasTheRightsOfItsTarget() {
        dom0(.introduce(DomainID(1), frame: 1, eventChannel: 1))
        dom0(.introduce(DomainID(2), frame: 1, eventChannel: 1))
        dom0(.write("/t", "target's"))
        dom0(.setPermissions("/t", "n2"))
        #expect(guest(.read("/t")) == "EACCES")
        #expect(dom0(.setTarget(DomainID(1), target: DomainID(2))) == "OK|")
        #expect(guest(.read("/t")) == "target's")
        #expect(guest(.setPermissions("/t", "r2")) == "OK|")
        dom0(.release(DomainID(2)))
        #expect(dom0(.setTarget(DomainID(1), target: DomainID(2))) == "ENOENT")
    }

    @Test func aRestrictedConnectionLosesItsPrivilege() {
        let session = clients.client()
        #expect(session(.restrict(DomainID(1))) == "OK|")
        #expect(session(.read("/tool")) == "EACCES")
        #expect(session(.restrict(.privileged)) == "EACCES")
        #expect(dom0(.read("/tool")) == "")
    }

    @Test func everyDomainHasTheRightsOfTheAnyEntry() {
        dom0(.write("/any", "x"))
        dom0(.setPermissions("/any", "n0,r32756"))
        #expect(guest(.read("/any")) == "x")
    }
}
