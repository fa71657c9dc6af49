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
    func theStore(scenario: Scenario) throws {
        let configuration = StoreConfiguration(introducedDomains: [DomainID(5)])
        let host = StoreHost(store: Store(configuration: configuration))
        let server = Server(kind: .store) { StoreConversation(host: host, as: $0) }
        try Replay.run(scenario, on: server)
    }

    @Test func scenariosHaveDirectoriesOfTheirOwn() {
        #expect(Set(scenarios.map(\.directory)).count == scenarios.count)
    }
}

/// The table, replayed on our server: the same store, behind a socket and in another process.
struct ServedConformanceTests {
    @Test(.timeLimit(.minutes(2))) func xsfsServe() async throws {
        try await Shell.use { shell in
            let served = try await TestStore.start(.served, in: shell)
            // A socket has domain 0 behind it, always.
            let server = Server(kind: .store) { domain in
                guard domain == .privileged else { return nil }
                return try SocketConversation(path: served.socket)
            }
            for scenario in scenarios {
                try Replay.run(scenario, on: server)
            }
            try await served.stop()
        }
    }
}

/// The table, replayed on the daemons of Xen: what it says of them is true.
@Suite(.enabled(if: Daemon.isAvailable, "no xenstored of Xen 4.17 is installed"))
struct DaemonConformanceTests {
    @Test func xenstored() throws { try replayAll(on: .xenstored) }

    @Test func oxenstored() throws { try replayAll(on: .oxenstored) }

    /// All scenarios on one daemon, in one function: the daemon ends with the thread that started
    /// it.
    private func replayAll(on kind: ServerKind) throws {
        let daemon = try Daemon(kind)
        let server = Server(kind: kind) { try daemon.connect(as: $0) }
        for scenario in scenarios {
            try Replay.run(scenario, on: server)
        }
    }
}
