import FilesystemScenarios
import Glibc
import Testing
import XenstoreFilesystem
import XenstoreStore

/// Random operations and what the page on semantics says, on a store in the process.
///
/// `XSFS_MODEL=SEED,COUNT` makes one long run of another seed, `SEED,COUNT,SKIPPED` its end.
struct ModelTests {
    private static let tests = ModelTest.all(
        getenv("XSFS_MODEL").map { String(cString: $0) },
        seeds: 1...4,
        count: 10_000
    )

    @Test(arguments: tests) func theModelHolds(_ test: ModelTest) async throws {
        try await test.run {
            try await InProcessSurface<InProcessConnection>.make(options: FilesystemOptions())
        }
    }
}
