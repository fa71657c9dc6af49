import MountSupport
import Testing

/// Files beside the keys, as programs use them.
struct ScratchTests {
    /// A program may rename a file that it goes on writing: nothing of it is lost.
    @Test(arguments: StoreKind.allCases)
    func whatIsWrittenAfterTheRenamingGoesToTheKey(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t; echo old > t/key
                exec 3> t/.tmp; echo 1 >&3; mv t/.tmp t/key; xenstore-read /t/key
                echo 2 >&3; xenstore-read /t/key; cat t/key
                exec 3>&-; ls -A t
                """,
                prints: "1\n1\\n2\n1\n2\nkey\n"
            )
            try await mount.expectSameAsStore()
        }
    }
}
