import MountSupport
import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

let scenarios =
    nodeScenarios + permissionScenarios + watchScenarios + transactionScenarios + domainScenarios

/// The table, replayed on our store without anything around it.
struct StoreConformanceTests {
    @Test(arguments: scenarios)
    func theStore(scenario: Scenario) throws { try replay(scenario, .xenstored, as: .store) }

    @Test(arguments: scenarios)
    func theStoreAsOxenstored(scenario: Scenario) throws {
        try replay(scenario, .oxenstored, as: .compatibleStore)
    }

    private func replay(
        _ scenario: Scenario,
        _ compatibility: Compatibility,
        as kind: ServerKind
    ) throws {
        let host = StoreHost(store: .forComparing(compatibility))
        let server = Server(kind: kind) { StoreConversation(host: host, as: $0) }
        try Replay.run(scenario, on: server)
    }

    @Test func scenariosHaveDirectoriesOfTheirOwn() {
        #expect(Set(scenarios.map(\.directory)).count == scenarios.count)
    }
}

extension Store {
    /// A store in which domain 5 is introduced, as in the daemons that it is compared with.
    static func forComparing(_ compatibility: Compatibility) -> Store {
        let domains = [DomainID(5)]
        return Store(
            configuration: StoreConfiguration(
                compatibility: compatibility,
                introducedDomains: domains
            )
        )
    }
}

/// The table, replayed on our server: the same store, behind a socket and in another process.
struct ServedConformanceTests {
    @Test(.timeLimit(.minutes(2)), arguments: [ServerKind.store, .compatibleStore])
    func xsfsServe(kind: ServerKind) async throws {
        try await Shell.use { shell in
            let guest = shell.directory + "/guest"
            let name = kind == .store ? "c" : "oxenstored"
            try writeFile(shell.directory + "/empty.txt", "/tool/xenstored = \"\"   (n0)\n")
            let served = try await TestStore.startServing(
                [
                    "--compatibility", name, "--domain", "5=\(guest)",
                    "--load", shell.directory + "/empty.txt",
                ],
                in: shell
            )
            let server = Server(kind: kind) { domain in
                try SocketConversation(path: domain == .privileged ? served.socket : guest)
            }
            for scenario in scenarios {
                try Replay.run(scenario, on: server)
            }
            try await served.stop()
        }
    }
}

/// The table, replayed on the daemons of Xen, in each version: what it says of them is true.
@Suite(.enabled(if: !GivenStore.isThere, "the table is replayed on the given store alone"))
struct DaemonConformanceTests {
    @Test(arguments: XenVersion.allCases)
    func xenstored(version: XenVersion) throws { try replayAll(on: .xenstored, version) }

    @Test(arguments: XenVersion.allCases)
    func oxenstored(version: XenVersion) throws { try replayAll(on: .oxenstored, version) }

    /// All scenarios on one daemon, in one function: the daemon ends with the thread that started
    /// it.
    private func replayAll(on kind: ServerKind, _ version: XenVersion) throws {
        let daemon = try Daemon(kind, version)
        let server = Server(kind: kind, version: version) { try daemon.connect(as: $0) }
        for scenario in scenarios {
            try Replay.run(scenario, on: server)
        }
    }
}
