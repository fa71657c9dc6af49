import MountSupport
import Testing

/// Keys as files and as directories.
struct ShapeTests {
    @Test(arguments: StoreKind.allCases)
    func theValueOfADirectoryIsAFileInIt(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("xenstore-write /t/d own /t/d/child 1 /t/e/child 2")
            try await mount.expect("ls -A t/d t/e", prints: "t/d:\n.value\nchild\n\nt/e:\nchild\n")
            try await mount.expect(
                "cat t/d/.value t/d.value; wc -c < t/e/.value",
                prints: "own\nown\n0\n"
            )
            try await mount.expect(
                "echo new > t/e/.value && ls -A t/e && xenstore-read /t/e",
                prints: ".value\nchild\nnew\n"
            )
            try await mount.expect("echo 3 > t/e.value; cat t/e/.value", prints: "3\n")
            try await mount.expect("rm t/e/.value; ls -A t/e; cat t/e/.value", prints: "child\n")
            try await mount.expect("rm t/d.value; ls -A t/d", prints: "child\n")
            try await mount.expect("rmdir t/e", fails: "Directory not empty")
            try await mount.expectSameAsStore()
            // A value keeps a directory from being removed.
            try await mount.expect("echo 1 > t/d/.value; rmdir t/d", fails: "not empty")
            try await mount.expect("rm -r t/d t/e; ls t")
        }
    }

    /// The kernel knows a directory by one name, and cannot give it another in the middle of a
    /// renaming.
    @Test(arguments: StoreKind.allCases)
    func theChildrenOfARenamedFileAreAtItsNewName(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir t t/old t/new; echo 1 > t/old/k; echo 2 > t/other")
            try await mount.expect(
                """
                ls t/old/k.dir && mv t/old/k t/new
                python3 -c '
                import errno, os, time
                end = time.monotonic() + 5
                while True:
                    try:
                        os.rename("t/other", "t/new/k.dir")
                    except OSError as error:
                        if error.errno != errno.ESTALE or time.monotonic() > end:
                            print(error.strerror)
                            break
                '
                """,
                prints: "Is a directory\n"
            )
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aKeyIsReachedInEitherShape(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                "xenstore-write /t/data '' && stat -c %F t/data",
                prints: "regular empty file\n"
            )
            try await mount.expect(
                // The kernel takes it for a file until the event of the change has come.
                """
                ls -A t/data.dir && echo 1 > t/data.dir/updated
                until cat t/data/updated 2>/dev/null; do :; done
                """,
                prints: "1\n"
            )
            try await mount.expect(
                "stat -c %F t/data t/data.value t/data.dir",
                prints: "directory\nregular empty file\ndirectory\n"
            )
            try await mount.expect("ls -A t t/data", prints: "t:\ndata\n\nt/data:\nupdated\n")
            try await mount.expect("echo 2 > t/new.value && xenstore-read /t/new", prints: "2\n")
            try await mount.expect(
                "mkdir t/made.dir && echo 3 > t/made/x && xenstore-read /t/made/x",
                prints: "3\n"
            )
            try await mount.expect("cat t/none.value", fails: "No such file")
            try await mount.expect("ls t/none.dir", fails: "No such file")
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func anEmptyKeyIsAFileUnlessItWasMadeADirectory(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                "xenstore-write /t/a '' && mkdir t/b && stat -c %F t/a t/b",
                prints: "regular empty file\ndirectory\n"
            )
            // Seen as a directory, it stays one.
            try await mount.expect(
                "xenstore-write /t/c/x 1 && ls t/c && rm t/c/x && stat -c %F t/c",
                prints: "x\ndirectory\n"
            )
            // Removed, it is nothing any more.
            try await mount.expect(
                "rmdir t/b; xenstore-write /t/b '' && stat -c %F t/b",
                prints: "regular empty file\n"
            )
        }
        try await withMount(kind, MountSettings(options: "empty=dir")) { mount in
            try await mount.expect(
                "xenstore-write /t/a '' && stat -c %F t/a",
                prints: "directory\n"
            )
            try await mount.expect("ls -A t/a && echo 1 > t/a/x && cat t/a/x", prints: "1\n")
        }
    }
}
