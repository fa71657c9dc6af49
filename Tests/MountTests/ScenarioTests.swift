import FilesystemScenarios
import MountSupport
import Testing
import XenstoreClient
import XenstoreFilesystem
import XenstoreProtocol

@Suite("The filesystem's claims, mounted")
struct MountedScenarioTests {
    /// Scenarios that mount alike share a mount, each with a directory `/t` of its own.
    @Test("hold over every store", .timeLimit(.minutes(10)), arguments: StoreKind.allCases)
    func holds(_ kind: StoreKind) async throws {
        let all = Scenario.all.filter { !$0.isLong || !GivenStore.isThere }
        let mounts = Dictionary(grouping: all) { $0.options }
        for (options, scenarios) in mounts {
            try await withMount(kind, MountSettings(options: options.mountOptions)) { mounted in
                let place = mounted.socket
                let address = isDevice(place) ? StoreAddress.device(place) : .socket(place)
                let store = try await SharedConnection(to: address)
                let surface = MountedSurface(store: store, mountpoint: mounted.point)
                for scenario in scenarios {
                    do {
                        try await store.remove(surface.key("/t"))
                        if !options.isReadOnly { try await surface.makeDirectory("/t") }
                        try await scenario.run(surface)
                    } catch {
                        Issue.record("\(scenario.claim): \(error)")
                    }
                }
            }
        }
    }
}

extension FilesystemOptions {
    /// What `-o` says for these.
    fileprivate var mountOptions: String? {
        var words: [String] = []
        if valueForm == .raw { words.append("raw") }
        if emptyView == .directory { words.append("empty=dir") }
        if isReadOnly { words.append("ro") }
        return words.isEmpty ? nil : words.joined(separator: ",")
    }
}
