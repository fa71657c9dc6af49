import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

/// What clients see of nodes: values, children, permissions.
struct NodeTests {
    let clients = StoreClients()
    let dom0: StoreClient

    init() {
        dom0 = clients.client()
    }

    @Test func aNewStoreHoldsWhatTheDaemonStartsWith() {
        #expect(dom0(.directory("/")) == "tool|")
        #expect(dom0(.directory("/tool")) == "xenstored|")
        #expect(dom0(.read("/tool/xenstored")) == "")
        #expect(dom0(.getPermissions("/")) == "n0|")
        #expect(dom0(.getPermissions("@releaseDomain")) == "n0|")
        #expect(clients.store.nodeCount == 5)
    }

    @Test func aWriteMakesTheParentsThatAreMissing() {
        #expect(dom0(.write("/a/b/c", "x")) == "OK|")
        #expect(dom0(.read("/a/b/c")) == "x")
        #expect(dom0(.read("/a/b")) == "")
        #expect(dom0(.directory("/a")) == "b|")
        #expect(clients.store.nodeCount == 8)
    }

    @Test func childrenStandInTheOrderOfTheirCreation() {
        for name in ["z", "a", "m", "a", "b"] {
            dom0(.makeDirectory(XenstorePath(stringLiteral: "/o/\(name)")))
        }
        #expect(dom0(.directory("/o")) == "z|a|m|b|")
        dom0(.remove("/o/a"))
        dom0(.write("/o/a", ""))
        #expect(dom0(.directory("/o")) == "z|m|b|a|")
    }

    /// Short values stand in the node and long ones beside it: from each length to each other, with
    /// a transaction that holds the node as it was.
    @Test func valuesOfAnyLengthFollowEachOther() {
        let dom0 = clients.client()
        dom0(.write("/key/below", "child"))
        let lengths = [0, 1, 8, 20, 127, 128, 129, 254, 255, 256, 3000]
        for first in lengths {
            for second in lengths {
                let before = String(repeating: "a", count: first)
                let after = String(repeating: "b", count: second)
                #expect(dom0(.write("/key", before)) == "OK|")
                let transaction = dom0.begin()
                #expect(dom0(.write("/key", after)) == "OK|")
                #expect(dom0(.read("/key")) == after)
                #expect(dom0(.read("/key"), in: transaction) == before)
                #expect(dom0(.directory("/key"), in: transaction) == "below|")
                dom0(.transactionEnd(commit: false), in: transaction)
            }
        }
        #expect(dom0(.directory("/key")) == "below|")
    }

    @Test func mkdirLeavesAValueAlone() {
        dom0(.write("/a", "kept"))
        #expect(dom0(.makeDirectory("/a")) == "OK|")
        #expect(dom0(.read("/a")) == "kept")
    }

    @Test func removalTakesAllBelowAndForgivesWhatIsMissing() {
        dom0(.write("/a/b/c", "x"))
        #expect(dom0(.remove("/a")) == "OK|")
        #expect(dom0(.read("/a/b/c")) == "ENOENT")
        #expect(dom0(.remove("/a")) == "OK|")
        #expect(dom0(.remove("/a/b")) == "ENOENT")
        #expect(dom0(.remove("/")) == "EINVAL")
        #expect(clients.store.nodeCount == 5)
    }

    @Test func relativePathsAreBelowTheHomeOfTheDomain() {
        #expect(dom0(.write("x", "mine")) == "OK|")
        #expect(dom0(.read("/local/domain/0/x")) == "mine")
        dom0(.makeDirectory("/local/domain/3"))
        dom0(.setPermissions("/local/domain/3", "n3"))
        let guest = clients.client(as: DomainID(3))
        #expect(guest(.write("x", "its")) == "OK|")
        #expect(dom0(.read("/local/domain/3/x")) == "its")
    }

    @Test func specialPathsHavePermissionsAlone() {
        #expect(dom0(.read("@releaseDomain")) == "EINVAL")
        #expect(dom0(.write("@releaseDomain", "x")) == "EINVAL")
        #expect(dom0(.getPermissions("@none")) == "EINVAL")
        #expect(dom0(.setPermissions("@releaseDomain", "n0,r5")) == "OK|")
        #expect(dom0(.getPermissions("@releaseDomain")) == "n0|r5|")
    }

    @Test func aListThatDoesNotFitComesInParts() {
        var names: [String] = []
        for index in 0..<2000 {
            let name = "child-\(index)"
            names.append(name)
            dom0(.makeDirectory(XenstorePath(stringLiteral: "/big/\(name)")))
        }
        #expect(dom0(.directory("/big")) == "E2BIG")
        var list = ""
        var parts = 0
        while !list.hasSuffix("||"), parts < 100 {
            let part = dom0(.directoryPart("/big", offset: list.utf8.count))
            #expect(part.utf8.count <= 4096)
            list += part.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)[1]
            parts += 1
        }
        #expect(list == names.map { $0 + "|" }.joined() + "|")
        #expect(parts > 4)
    }

    @Test func aPartBeyondTheListIsEmptyAndTellsTheGeneration() {
        dom0(.makeDirectory("/p"))
        let first = dom0(.directoryPart("/p", offset: 0))
        #expect(first.hasSuffix("||"))
        #expect(dom0(.directoryPart("/p", offset: 1 << 40)) == first)
        dom0(.makeDirectory("/p/child"))
        #expect(dom0(.directoryPart("/p", offset: 99)) != first)
    }

    @Test func longPathsAreRefused() {
        let long = "/" + String(repeating: "a", count: 2047)
        #expect(dom0(.write(XenstorePath(stringLiteral: long), "")) == "OK|")
        #expect(dom0(.write(XenstorePath(stringLiteral: long + "a"), "")) == "EINVAL")
        let home = "/local/domain/5" + long
        #expect(dom0(.write(XenstorePath(stringLiteral: home), "")) == "OK|")
    }

    @Test func whatTheProtocolDoesNotKnowIsRefused() {
        let unknown = Message(rawType: 4711, payload: [])
        #expect(dom0.send(unknown)?.payload == Array("ENOSYS\0".utf8))
        for type in [MessageType.watchEvent, .error] {
            let reply = dom0.send(Message(type, payload: [0]))
            #expect(reply?.payload == Array("ENOSYS\0".utf8))
        }
        for payload in ["/a", "", "/a\0b\0", "a b\0", "/a//b\0", "/a/\0"] {
            let reply = dom0.send(Message(.read, payload: Array(payload.utf8)))
            #expect(reply?.type == .error)
            #expect(reply?.payload == Array("EINVAL\0".utf8), "payload \(payload)")
        }
        let long = Message(.write, payload: Array(repeating: 0x61, count: 4097))
        #expect(dom0.send(long)?.payload == Array("EINVAL\0".utf8))
    }

    @Test func valuesAreBytes() {
        let value = (0...255).map { UInt8($0) }
        dom0(.write("/bytes", value: value))
        let reply = dom0.send(Message(.read, payload: Array("/bytes\0".utf8)))
        #expect(reply?.payload == value)
    }

    @Test func aConnectionThatEndedIsIgnored() {
        let other = clients.client()
        other.disconnect()
        #expect(other(.read("/")) == "no reply")
    }

    @Test func depthCostsNoStack() {
        var path = ""
        while path.utf8.count < 2040 { path += "/a" }
        #expect(dom0(.write(XenstorePath(stringLiteral: path), "deep")) == "OK|")
        let transaction = dom0.begin()
        #expect(dom0(.remove("/a"), in: transaction) == "OK|")
        #expect(dom0(.transactionEnd(commit: true), in: transaction) == "OK|")
        #expect(clients.store.nodeCount == 5)
    }
}
