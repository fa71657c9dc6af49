import MountSupport
import Testing

/// The main job, with the tools that everyone has, on each store: what they do is compared key by
/// key with what the store itself says.
struct MainJobTests {
    @Test(arguments: StoreKind.allCases)
    func everyDayCommandsDoWhatTheySay(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir -p t/a/b && ls -F t t/a && [ -d t/a/b ]", prints: """
                t:
                a/

                t/a:
                b/

                """)
            try await mount.expect("echo one > t/a/x && cat t/a/x", prints: "one\n")
            try await mount.expect("xenstore-read /t/a/x", prints: "one\n")
            try await mount.expect("printf two > t/a/y && cat t/a/y", prints: "two\n")
        }
    }
}
