import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

/// What a store records makes the same store again.
struct JournalTests {
    @Test(arguments: 0..<20) func recordsAndSnapshotsMakeTheSameStore(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let clients = StoreClients()
        let copy = Store()
        clients.store.keepsJournal = true
        let host = clients.client()
        for domain in [DomainID(5), DomainID(6)] {
            _ = host(.introduce(domain, frame: 1, eventChannel: 1))
        }
        let other = clients.client()
        var transaction: UInt32 = 0
        for _ in 0..<400 {
            let names = (0..<(1 + random.below(3))).map { _ in random.pick(["a", "b", "c"]) }
            let path = try XenstorePath("/" + names.joined(separator: "/"))
            // What another one does meanwhile has transactions merged.
            if random.happens(percent: 10) { other(.write("/other", value: random.bytes(3))) }
            switch random.below(9) {
            case 0, 1, 2: host(.write(path, value: random.bytes(random.below(9))), in: transaction)
            case 3: host(.makeDirectory(path), in: transaction)
            case 4: host(.remove(path), in: transaction)
            case 5:
                let owner = DomainID(random.pick([0, 5, 6]))
                let entry = PermissionEntry(DomainID(random.pick([5, 6])), .read)
                let permissions = Permissions(owner: owner, entries: [entry])
                host(.setPermissions(path, permissions), in: transaction)
            case 6 where transaction == 0:
                transaction = UInt32(host(.transactionStart).dropLast()) ?? 0
            case 7 where transaction != 0:
                host(.transactionEnd(commit: random.happens(percent: 80)), in: transaction)
                transaction = 0
            case 8 where random.happens(percent: 10):
                host(.release(DomainID(6)))
                host(.introduce(DomainID(6), frame: 1, eventChannel: 1))
                host(.setTarget(DomainID(6), target: DomainID(5)))
            default: host(.setQuota(DomainID(5), name: "nodes", value: UInt32(random.below(99))))
            }
            try copy.replay(clients.store.takeJournal()[...])
            #expect(copy.contents == clients.store.contents)
        }
        let snapshot = Store()
        var records = clients.store.snapshot()
        while let record = records.next() { try snapshot.replay(record[...]) }
        for store in [copy, snapshot] {
            #expect(store.contents == clients.store.contents)
            #expect(store.nodeCount == clients.store.nodeCount)
            let other = StoreClients(store).client()
            for domain in [DomainID(5), DomainID(6)] {
                #expect(
                    other(.getQuota(domain, name: "nodes"))
                        == host(.getQuota(domain, name: "nodes"))
                )
                #expect(other(.isDomainIntroduced(domain)) == host(.isDomainIntroduced(domain)))
            }
            #expect(other(.control([Array("check".utf8)])) == "OK|")
        }
    }

    /// Whatever the bytes are, they are refused or make some store; none traps.
    @Test(arguments: 0..<50) func nonsenseIsRefused(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let clients = StoreClients()
        clients.store.keepsJournal = true
        let host = clients.client()
        host(.write("/a/b", value: [1, 2, 3]))
        host(.setQuota(DomainID(5), name: "nodes", value: 3))
        let record = clients.store.takeJournal()
        for _ in 0..<100 {
            var bytes = record
            for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = random.bytes(1)[0] }
            let store = Store()
            do throws(JournalError) {
                try store.replay(bytes.prefix(random.below(bytes.count + 1)))
            } catch { continue }
            #expect(StoreClients(store).client()(.control([Array("check".utf8)])) == "OK|")
        }
    }
}
