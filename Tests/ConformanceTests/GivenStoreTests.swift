import MountSupport
import TestSupport
import Testing
import XenstoreProtocol

/// The table, replayed on the store of a real host, by the way that was given: see ``GivenStore``.
@Suite(.enabled(if: GivenStore.isThere, "no store is given"), .serialized)
struct GivenStoreConformanceTests {
    private static let transport: Transport = GivenStore.isDevice ? .ring : .connections
    private static let asked = scenarios.filter { reason($0) == nil }

    private static func reason(_ scenario: Scenario) -> String? {
        LeftOut.reason(scenario, transport)
    }

    @Test(.timeLimit(.minutes(5)), arguments: asked)
    func theHost(scenario: Scenario) throws {
        let given = try #require(GivenStore.current)
        let server = Server(
            kind: given.kind.isOxenstored ? .oxenstored : .xenstored,
            version: given.kind.version ?? .xen417,
            transport: Self.transport
        ) { _ in
            switch Self.transport {
            case .connections: try SocketConversation(path: given.path)
            case .ring: try DeviceConversation(path: given.path)
            }
        }
        try Replay.run(scenario, on: server)
        try Replay.clean(server)
    }

    @Test func whatIsLeftOutIsSaid() {
        for scenario in scenarios {
            guard let reason = Self.reason(scenario) else { continue }
            print("left out: \(scenario.name): \(reason)")
        }
        guard Self.transport == .ring else { return }
        for (row, reason) in LeftOut.rowsOverRing {
            print("left out: \(row): \(reason)")
        }
    }
}

/// The lists of what is left out name what there is.
@Test func whatIsLeftOutExists() {
    let names = Set(scenarios.map(\.name))
    #expect(names.isSuperset(of: LeftOut.onHosts.keys))
    #expect(names.isSuperset(of: LeftOut.overRing.keys))
    let rows = Set(scenarios.flatMap { $0.rows() }.map(\.text))
    #expect(rows.isSuperset(of: LeftOut.rowsOverRing.keys))
}
