import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

/// What an unprivileged domain may take, and what happens beyond.
struct QuotaTests {
    private func homeOfGuest(_ quotas: [Quota: UInt32]) -> (StoreClient, StoreClient) {
        let clients = StoreClients(Store(configuration: StoreConfiguration(quotas: quotas)))
        let dom0 = clients.client()
        dom0(.makeDirectory("/local/domain/1"))
        dom0(.setPermissions("/local/domain/1", "n1"))
        return (dom0, clients.client(as: DomainID(1)))
    }

    @Test func nodes() {
        let (dom0, guest) = homeOfGuest([.nodes: 3])
        #expect(guest(.write("a", "")) == "OK|")
        #expect(guest(.write("b/c", "")) == "ENOSPC")
        #expect(guest(.read("b")) == "ENOENT")
        #expect(guest(.write("b", "")) == "OK|")
        #expect(guest(.write("c", "")) == "ENOSPC")
        #expect(dom0(.write("/local/domain/1/c", "")) == "OK|")
        guest(.remove("b"))
        #expect(guest(.write("d", "")) == "ENOSPC")
        dom0(.remove("/local/domain/1/c"))
        #expect(guest(.write("d", "")) == "OK|")
    }

    @Test func nodesInATransaction() {
        let (dom0, guest) = homeOfGuest([.nodes: 3])
        let transaction = guest.begin()
        #expect(guest(.write("a", ""), in: transaction) == "OK|")
        #expect(guest(.write("b", ""), in: transaction) == "OK|")
        #expect(guest(.write("c", ""), in: transaction) == "ENOSPC")
        dom0(.write("/elsewhere", ""))
        dom0(.setPermissions("/elsewhere", "n1"))
        #expect(guest(.transactionEnd(commit: true), in: transaction) == "ENOSPC")
        #expect(guest(.directory("/local/domain/1")) == "")
    }

    @Test func nodeSize() {
        let (dom0, guest) = homeOfGuest([.nodeSize: 2048])
        let largest = String(repeating: "x", count: 2048 - 24 - 8 - 1)
        #expect(guest(.write("a", largest)) == "OK|")
        #expect(guest(.write("a", largest + "x")) == "ENOSPC")
        #expect(guest(.write("b", largest + "x")) == "ENOSPC")
        #expect(dom0(.write("/local/domain/1/a", largest + "x")) == "OK|")
    }

    @Test func memory() {
        let (_, guest) = homeOfGuest([.memory: 5000])
        let value = String(repeating: "x", count: 2000)
        #expect(guest(.write("a", value)) == "OK|")
        #expect(guest(.write("b", value)) == "OK|")
        #expect(guest(.write("c", value)) == "ENOMEM")
        guest(.remove("a"))
        #expect(guest(.write("c", value)) == "OK|")
    }

    /// One more than the quota says, as with the daemons.
    @Test func watches() {
        let (dom0, guest) = homeOfGuest([.watches: 1])
        #expect(guest(.watch("a", "1")) == "OK|")
        #expect(guest(.watch("a", "2")) == "OK|")
        #expect(guest(.watch("a", "3")) == "E2BIG")
        #expect(guest(.unwatch("a", "1")) == "OK|")
        #expect(guest(.watch("a", "3")) == "OK|")
        for token in 0..<9 { #expect(dom0(.watch("/", "\(token)")) == "OK|") }
    }

    /// One more than the quota says, as with the daemons.
    @Test func transactions() {
        let (_, guest) = homeOfGuest([.transactions: 1])
        let first = guest.begin()
        #expect(guest.begin() != 0)
        #expect(guest(.transactionStart) == "ENOSPC")
        guest(.transactionEnd(commit: false), in: first)
        #expect(guest.begin() != 0)
        guest(.resetWatches)
        #expect(guest.begin() != 0)
    }

    @Test func transactionNodes() {
        let (_, guest) = homeOfGuest([.transactionNodes: 2])
        let transaction = guest.begin()
        #expect(guest(.read("/local/domain/1"), in: transaction) == "")
        #expect(guest(.write("a/b", ""), in: transaction) == "ENOSPC")
        #expect(guest(.transactionEnd(commit: true), in: transaction) == "ENOMEM")
    }

    @Test func entriesOfPermissions() {
        let (dom0, guest) = homeOfGuest([.nodePermissions: 2])
        #expect(guest(.setPermissions("/local/domain/1", "n1,r2,r3")) == "ENOSPC")
        #expect(guest(.setPermissions("/local/domain/1", "n1,r2")) == "OK|")
        #expect(dom0(.setPermissions("/local/domain/1", "n1,r2,r3")) == "OK|")
    }

    @Test func quotasAreReadAndSet() {
        let (dom0, guest) = homeOfGuest(StoreConfiguration.defaultQuotas)
        let names =
            "nodes watches outstanding memory soft-memory transactions transaction-nodes "
            + "node-permissions path-max node-size|"
        #expect(dom0(.getQuota(nil, name: nil)) == names)
        #expect(dom0(.getQuota(nil, name: "nodes")) == "1000|")
        #expect(dom0(.setQuota(DomainID(1), name: "nodes", value: 1)) == "OK|")
        #expect(dom0(.getQuota(DomainID(1), name: "nodes")) == "1|")
        #expect(dom0(.getQuota(DomainID(2), name: "nodes")) == "1000|")
        #expect(guest(.write("a", "")) == "ENOSPC")
        #expect(dom0(.setQuota(DomainID(1), name: "nodes", value: 0)) == "OK|")
        #expect(guest(.write("a", "")) == "OK|")
        #expect(dom0(.setQuota(nil, name: "nonsense", value: 1)) == "EINVAL")
        #expect(dom0(.getQuota(nil, name: "nonsense")) == "EINVAL")
    }

    @Test func aSoftQuotaIsToldOfOnceEachWay() {
        let (dom0, guest) = homeOfGuest([.softMemory: 1000, .memory: 5000])
        var lines: [String] = []
        guest.store.report = { lines.append($0) }
        let value = String(repeating: "x", count: 1000)
        #expect(guest(.write("a", value)) == "OK|")
        #expect(guest(.write("b", value)) == "OK|")
        #expect(lines == ["domain 1 exceeds its soft quota of memory"])
        dom0(.remove("/local/domain/1/a"))
        dom0(.remove("/local/domain/1/b"))
        guest(.read("a"))
        guest(.read("a"))
        #expect(lines.dropFirst() == ["domain 1 is below its soft quota of memory again"])
    }

    @Test func controlReportsAndLogs() {
        let (dom0, guest) = homeOfGuest([:])
        func control(_ words: String...) -> String {
            dom0(.control(words.map { Array($0.utf8) }))
        }
        #expect(control("memreport") == "EINVAL", "there is nowhere to report to")
        #expect(control("print", "x") == "OK|")
        var lines: [String] = []
        dom0.store.report = { lines.append($0) }
        #expect(control("print", "hello") == "OK|")
        #expect(lines == ["control: hello"])
        guest(.write("a", "value"))
        guest(.watch("a", "token"))
        lines = []
        #expect(control("memreport") == "OK|")
        #expect(lines.first == "memory: 2 connections, 0 transactions")
        #expect(lines.last == "memory: domain 1: 73 bytes in 2 nodes, 22 in 1 watches")
        #expect(control("log") == "Log switch settings:\nio      : off\n|")
        #expect(control("log", "on") == "OK|")
        lines = []
        guest(.write("a", "\u{1B}[2J"))
        #expect(
            lines == [
                "in connection 2: write 7 in 0: a..[2J", "out connection 2: write 7 in 0: OK.",
            ]
        )
        #expect(control("log", "off") == "OK|")
        lines = []
        guest(.read("a"))
        #expect(lines.isEmpty)
        #expect(control("log", "loud") == "EINVAL")
    }

    @Test func controlTellsTheMostThatWasTaken() {
        let (dom0, guest) = homeOfGuest(StoreConfiguration.defaultQuotas)
        func highest(_ words: String...) -> [String: Int] {
            let reply = dom0(.control((["quota", "max"] + words).map { Array($0.utf8) }))
            guard reply.hasPrefix("Max. seen accounting values:\n") else { return [:] }
            var found: [String: Int] = [:]
            for line in reply.split(separator: "\n").dropFirst() where line != "|" {
                let words = line.split { $0 == " " || $0 == ":" }
                found[String(words[0])] = Int(words[1])
            }
            return found
        }
        let names = Quota.allCases.filter { $0 != .softMemory }.map(\.rawValue)
        #expect(Set(highest().keys) == Set(names))
        guest(.write("a", "value"))
        guest(.write("b", "value"))
        guest(.write("c", "value"))
        #expect(highest()["nodes"] == 4)
        #expect(highest()["path-max"] == 1)
        guest(.remove("a"))
        guest(.watch("b", "token"))
        guest(.setPermissions("b", "n1,r2,w3"))
        let transaction = guest.begin()
        guest(.read("b"), in: transaction)
        guest(.read("c"), in: transaction)
        guest(.transactionEnd(commit: false), in: transaction)
        dom0(.write("/x", String(repeating: "x", count: 2000)))
        let seen = highest()
        #expect(seen["nodes"] == 4)
        #expect(seen["watches"] == 1)
        #expect(seen["node-permissions"] == 3)
        #expect(seen["transactions"] == 1)
        #expect(seen["transaction-nodes"] == 2)
        #expect((seen["memory"] ?? 0) > 100)
        #expect(
            (10..<1000).contains(seen["node-size"] ?? 0),
            "the privileged domain does not count"
        )
        let now = highest("-r")
        #expect(now["nodes"] == 3)
        #expect(now["transactions"] == 0 && now["node-permissions"] == 0)
        #expect(highest("x").isEmpty)
    }

    @Test func controlReportsIntoFiles() {
        let (dom0, guest) = homeOfGuest([:])
        func control(_ words: String...) -> String {
            dom0(.control(words.map { Array($0.utf8) }))
        }
        #expect(control("logfile", "/log") == "EINVAL", "there are no files")
        var files: [String: [String]] = [:]
        var lines: [String] = []
        dom0.store.report = { lines.append($0) }
        dom0.store.openReport = { path in
            path.hasPrefix("/") ? { files[path, default: []].append($0) } : nil
        }
        #expect(control("logfile", "log") == "EINVAL")
        #expect(control("logfile") == "EINVAL")
        #expect(control("logfile", "/log") == "OK|")
        guest(.read("a"))
        #expect(files["/log"]?.last?.hasPrefix("out connection 2: error") == true)
        #expect(control("log", "off") == "OK|")
        let logged = files["/log"]
        guest(.read("a"))
        #expect(files["/log"] == logged)
        #expect(control("memreport", "/memory") == "OK|")
        #expect(files["/memory"]?.first == "memory: 2 connections, 0 transactions")
        #expect(control("memreport") == "OK|")
        #expect(files["/log"]?.last?.hasPrefix("memory: domain 1:") == true)
        #expect(lines.isEmpty)
    }

    @Test func controlTellsAndSetsQuotas() {
        let (dom0, _) = homeOfGuest(StoreConfiguration.defaultQuotas)
        func control(_ words: String...) -> String {
            dom0(.control(words.map { Array($0.utf8) }))
        }
        #expect(control("check") == "OK|")
        #expect(control("help").hasPrefix("check"))
        #expect(control("quota").contains("nodes            :     1000 Nodes per domain\n"))
        #expect(control("quota", "set", "nodes", "5") == "OK|")
        #expect(control("quota", "1").hasPrefix("Domain 1:\nnodes           :        1\n"))
        #expect(control("quota", "9") == "ENOENT")
        #expect(control("quota", "set", "soft-memory", "9") == "EINVAL")
        #expect(
            control("quota-soft").dropFirst("Quota settings:\n".count)
                == "memory           :  2097152 Total Xenstore memory per domain\n|"
        )
        #expect(control("quota-soft", "set", "memory", "9") == "OK|")
        #expect(dom0(.getQuota(nil, name: "soft-memory")) == "9|")
        #expect(control("quota-soft", "set", "nodes", "9") == "EINVAL")
        #expect(control("quota", "set", "nodes") == "EINVAL")
        #expect(control("nonsense") == "EINVAL")
        #expect(control() == "EINVAL")
    }
}
