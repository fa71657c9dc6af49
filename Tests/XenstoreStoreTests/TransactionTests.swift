import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

/// What transactions see, what they conflict with, and what they tell.
struct TransactionTests {
    let clients = StoreClients()
    let dom0: StoreClient
    let other: StoreClient

    init() {
        dom0 = clients.client()
        other = clients.client()
        dom0(.write("/a", "a"))
        dom0(.write("/b", "b"))
    }

    private func commit(_ transaction: UInt32) -> String {
        dom0(.transactionEnd(commit: true), in: transaction)
    }

    @Test func nobodySeesATransactionBeforeItsCommit() {
        other(.watch("/", "t"))
        _ = other.events()
        let transaction = dom0.begin()
        #expect(dom0(.write("/a", "new"), in: transaction) == "OK|")
        #expect(dom0(.read("/a"), in: transaction) == "new")
        #expect(dom0(.read("/a")) == "a")
        #expect(other.events() == [])
        #expect(commit(transaction) == "OK|")
        #expect(other(.read("/a")) == "new")
        #expect(other.events() == ["/a t"])
    }

    @Test func anAbortedTransactionLeavesNothing() {
        other(.watch("/", "t"))
        _ = other.events()
        let transaction = dom0.begin()
        dom0(.remove("/a"), in: transaction)
        dom0(.write("/c/d", ""), in: transaction)
        #expect(dom0(.transactionEnd(commit: false), in: transaction) == "OK|")
        #expect(dom0(.directory("/")) == "tool|a|b|")
        #expect(other.events() == [])
        #expect(commit(transaction) == "ENOENT")
    }

    @Test func aTransactionSeesTheStoreAsItBegan() {
        let transaction = dom0.begin()
        other(.write("/a", "later"))
        other(.remove("/b"))
        #expect(dom0(.read("/a"), in: transaction) == "a")
        #expect(dom0(.read("/b"), in: transaction) == "b")
        #expect(commit(transaction) == "EAGAIN")
        #expect(dom0(.read("/a"), in: transaction) == "ENOENT")
    }

    @Test(arguments: [
        (Request.read("/a"), Request.write("/a", "a")),
        (.read("/a"), .setPermissions("/a", "n0")),
        (.read("/a"), .remove("/a")),
        (.read("/a"), .write("/a/child", "")),
        (.read("/none"), .write("/none", "")),
        (.read("/none"), .write("/none2", "")),
        (.directory("/"), .makeDirectory("/new")),
        (.directory("/"), .remove("/b")),
        (.write("/a", "mine"), .write("/a", "theirs")),
        (.write("/x", ""), .write("/y", "")),
        (.remove("/a"), .write("/a/child", "")),
        (.getPermissions("/a"), .write("/a", "")),
    ])
    func whatWasReadMustNotChange(inside: Request, outside: Request) {
        let transaction = dom0.begin()
        dom0(inside, in: transaction)
        other(outside)
        #expect(commit(transaction) == "EAGAIN", "\(inside) and \(outside)")
    }

    @Test(arguments: [
        (Request.read("/a"), Request.write("/b", "x")),
        (.read("/a"), .write("/c", "x")),
        (.directory("/"), .write("/a", "x")),
        (.write("/a", "mine"), .write("/b", "theirs")),
        (.write("/a/child", ""), .write("/b/child", "")),
        (.remove("/a"), .write("/b/child", "")),
        (.read("/a"), .makeDirectory("/b")),
    ])
    func whatWasNotReadMay(inside: Request, outside: Request) {
        let transaction = dom0.begin()
        dom0(inside, in: transaction)
        other(outside)
        #expect(commit(transaction) == "OK|", "\(inside) and \(outside)")
    }

    @Test func twoTransactionsMergeWhereTheyDoNotMeet() {
        let first = dom0.begin()
        let second = dom0.begin()
        dom0(.write("/a/x/y", "1"), in: first)
        dom0(.write("/b/z", "2"), in: second)
        dom0(.remove("/tool/xenstored"), in: second)
        #expect(commit(first) == "OK|")
        #expect(commit(second) == "OK|")
        #expect(dom0(.read("/a/x/y")) == "1")
        #expect(dom0(.read("/b/z")) == "2")
        #expect(dom0(.directory("/tool")) == "")
        #expect(clients.store.nodeCount == 9)
    }

    @Test func transactionsDoNotNest() {
        let transaction = dom0.begin()
        #expect(dom0(.transactionStart, in: transaction) == "EBUSY")
        #expect(dom0(.transactionStart, in: 99) == "ENOENT")
        #expect(dom0(.transactionEnd(commit: true)) == "ENOENT")
        #expect(other(.read("/a"), in: transaction) == "ENOENT")
    }

    @Test func eventsOfACommitComeInTheOrderOfAccess() {
        other(.watch("/", "t"))
        _ = other.events()
        let transaction = dom0.begin()
        dom0(.read("/b"), in: transaction)
        dom0(.write("/c/d", ""), in: transaction)
        dom0(.write("/b", ""), in: transaction)
        dom0(.write("/c/d", "again"), in: transaction)
        dom0(.write("/gone", ""), in: transaction)
        dom0(.remove("/gone"), in: transaction)
        #expect(commit(transaction) == "OK|")
        #expect(other.events() == ["/b t", "/c/d t"])
    }

    @Test func aRemovalInATransactionIsToldBelowToo() {
        dom0(.write("/a/b/c", ""))
        other(.watch("/a/b/c", "deep"))
        other(.watch("/a", "high"))
        _ = other.events()
        let transaction = dom0.begin()
        dom0(.remove("/a"), in: transaction)
        #expect(commit(transaction) == "OK|")
        #expect(other.events() == ["/a high", "/a/b/c deep"])
    }

    @Test func aRemovedAndRemadeNodeIsNew() {
        dom0(.write("/a/child", ""))
        let transaction = dom0.begin()
        dom0(.remove("/a"), in: transaction)
        dom0(.write("/a", "again"), in: transaction)
        #expect(dom0(.directory("/a"), in: transaction) == "")
        other(.write("/b", "meanwhile"))
        #expect(commit(transaction) == "OK|")
        #expect(dom0(.directory("/")) == "tool|b|a|")
        #expect(dom0(.directory("/a")) == "")
    }

    @Test func watchesIgnoreTheTransaction() {
        let transaction = dom0.begin()
        #expect(dom0(.watch("/a", "t"), in: transaction) == "OK|")
        #expect(dom0(.watch("/b", "t"), in: 99) == "OK|")
        dom0(.transactionEnd(commit: false), in: transaction)
        #expect(clients.store.watchCount == 2)
    }
}
