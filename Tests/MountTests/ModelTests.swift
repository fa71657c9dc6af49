import FilesystemScenarios
import Glibc
import MountSupport
import Testing
import XenstoreClient

/// Random operations and what the page on semantics says, through the kernel, on every store.
///
/// `XSFS_MODEL=SEED,COUNT` makes one long run of another seed, `SEED,COUNT,SKIPPED` its end.
///
/// To be run with no other test beside it: a process that another one starts has copies of all open
/// files for a moment, and closing those is a close(2) to the mount, which does what ftruncate(2)
/// has left to do.
@Suite(.serialized)
struct ModelTests {
    private static let tests = ModelTest.all(
        getenv("XSFS_MODEL").map { String(cString: $0) },
        seeds: 1...1,
        count: 800
    )

    @Test(.serialized, arguments: StoreKind.allCases, tests)
    func theModelHolds(_ kind: StoreKind, _ test: ModelTest) async throws {
        try await withMount(kind) { mounted in
            let store = try await SharedConnection(to: .socket(mounted.socket))
            let surface = MountedSurface(store: store, mountpoint: mounted.point)
            try await test.run { surface }
        }
    }

    @Test(.serialized, arguments: StoreKind.allCases, tests)
    func theModelHoldsWithCache(_ kind: StoreKind, _ test: ModelTest) async throws {
        try await withMount(kind, MountSettings(options: "cache=watch")) { mounted in
            let connection = try await SharedConnection(to: .socket(mounted.socket))
            let store = try ToldAccess(connection, mountpoint: mounted.point)
            let surface = MountedSurface(
                store: store,
                mountpoint: mounted.point,
                mayShowNewest: true
            )
            try await test.run { surface }
        }
    }
}
