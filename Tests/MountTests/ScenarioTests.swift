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
        try await holds(kind, with: nil)
    }

    /// Once the mount was told of a change, nothing that the kernel has kept is shown.
    @Test("hold with cache=watch", .timeLimit(.minutes(10)), arguments: StoreKind.allCases)
    func holdsWithCache(_ kind: StoreKind) async throws {
        try await holds(kind, with: "cache=watch")
    }

    /// The kernel forgets a file with each change of others then.
    @Test("of times hold with noinotify", .timeLimit(.minutes(10)), arguments: StoreKind.allCases)
    func holdsWithoutInotify(_ kind: StoreKind) async throws {
        try await holds(kind, with: "noinotify", Scenario.all.filter(\.isAboutTimes))
    }

    /// Says why, where a given store is not asked.
    private func isFor(_ scenario: Scenario, _ kind: StoreKind) -> Bool {
        let reason: String
        if GivenStore.isThere, scenario.isOfMemory {
            reason = "thousands of calls that ask the store nothing"
        } else if GivenStore.isDevice, kind.isOxenstored, scenario.hasLongListing {
            reason = "oxenstored lists in one message, and the ring's have 4096 bytes"
        } else {
            return true
        }
        print("left out: \(scenario): \(reason)")
        return false
    }

    private func holds(
        _ kind: StoreKind,
        with more: String?,
        _ scenarios: [Scenario] = Scenario.all
    ) async throws {
        let mounts = Dictionary(grouping: scenarios.filter { isFor($0, kind) }) { $0.options }
        for (options, scenarios) in mounts {
            let words = [options.mountOptions, more].compactMap(\.self)
            let settings = MountSettings(
                options: words.isEmpty ? nil : words.joined(separator: ",")
            )
            try await withMount(kind, settings) { mounted in
                let place = mounted.socket
                let address = isDevice(place) ? StoreAddress.device(place) : .socket(place)
                let connection = try await SharedConnection(to: address)
                let store: any XenstoreAccess =
                    more != "cache=watch"
                    ? connection : try ToldAccess(connection, mountpoint: mounted.point)
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
        if emptyKeyKind == .directory { words.append("empty=dir") }
        if emptyKeyKind == .file { words.append("empty=file") }
        if isReadOnly { words.append("ro") }
        return words.isEmpty ? nil : words.joined(separator: ",")
    }
}
