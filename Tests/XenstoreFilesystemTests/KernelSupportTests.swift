import FilesystemScenarios
import Testing
import XenstoreFilesystem
import XenstoreProtocol

/// Older kernels take less.
@MainActor
@Suite(.timeLimit(.minutes(1))) struct KernelSupportTests {
    private static let short = String(repeating: "s", count: 1024)
    private static let long = String(repeating: "l", count: 1025)

    private func listing(_ support: KernelSupport?) async throws -> (names: [String], World) {
        let world = try await World(
            ["/\(Self.short)": "v", "/\(Self.long)": "v"],
            support: support
        )
        let filesystem = world.filesystem
        let handle = try await filesystem.openDirectory(.root, by: CallerID(rawValue: 3))
        let entries = try await filesystem.list(handle, offset: 0) { _ in true }
        filesystem.releaseDirectory(handle)
        return (entries.map(\.name).filter { $0.utf8.count > 1000 }, world)
    }

    @Test func aNameThatTheKernelDoesNotTakeIsInNoListing() async throws {
        let (names, world) = try await listing(KernelSupport(missing: [.longNames]))
        #expect(names == [Self.short])
        #expect(Set(world.leftOut) == [Self.long])
    }

    @Test(arguments: [nil, KernelSupport(missing: [.openat2])])
    func whereItDoesAllAreListed(support: KernelSupport?) async throws {
        let (names, world) = try await listing(support)
        #expect(Set(names) == [Self.short, Self.long])
        #expect(world.leftOut.isEmpty)
    }

    @Test func theLogNamesWhatIsMissing() {
        #expect(KernelSupport(missing: []).complaint == nil)
        let complaint = KernelSupport(missing: [.openat2, .keptListings]).complaint
        #expect(complaint == "this kernel does not offer openat2, kept_listings: see docs/XEN.md")
    }
}
