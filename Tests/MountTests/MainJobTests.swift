import MountSupport
import Testing

/// The main job, with the tools that everyone has, on each store: what they do is compared key by
/// key with what the store itself says.
struct MainJobTests {
    @Test(arguments: StoreKind.allCases)
    func keysAreWrittenAndRead(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir -p t/a/b && cd t/a/b && cd ../.. && [ -d a/b ]")
            try await mount.expect("echo one > t/a/x && cat t/a/x", prints: "one\n")
            try await mount.expect("xenstore-read /t/a/x", prints: "one\n")
            try await mount.expect("printf two > t/a/y && xenstore-read /t/a/y", prints: "two\n")
            try await mount.expect("echo three >> t/a/x; cat t/a/x", prints: "one\nthree\n")
            try await mount.expect("read -r v < t/a/y && echo \"<$v>\"", prints: "<two>\n")
            try await mount.expect("echo 4 | tee t/a/z t/a/zz && cat t/a/zz", prints: "4\n4\n")
            try await mount.expect(
                "cp t/a/x t/x && cp -r t/a t/c && cat t/x t/c/z",
                prints: "one\nthree\n4\n"
            )
            try await mount.expect("mv t/x t/w && cat t/w; ls t", prints: "one\nthree\na\nc\nw\n")
            try await mount.expect(
                "mv t/c t/a/b/d && find t/a -type f | sort",
                prints: """
                    t/a/b/d/x
                    t/a/b/d/y
                    t/a/b/d/z
                    t/a/b/d/zz
                    t/a/x
                    t/a/y
                    t/a/z
                    t/a/zz

                    """
            )
            try await mount.expect(
                "truncate -s 2 t/w && cat t/w; xenstore-read /t/w",
                prints: "on\non\n"
            )
            try await mount.expect("touch t/new t/w && stat -c %s t/new", prints: "0\n")
            try await mount.expect("xenstore-exists /t/new && cat t/new")
            try await mount.expectSameAsStore()
            try await mount.expect("rm t/new t/w && rmdir t/a/b", fails: "Directory not empty")
            try await mount.expect(
                "rm -r t/a/b && ls t t/a",
                prints: "t:\na\n\nt/a:\nx\ny\nz\nzz\n"
            )
            try await mount.expect("rm t/a/* && rmdir t/a && ls -A t")
            try await mount.expectSameAsStore()
            try await mount.expect("rm -r t; ! xenstore-exists /t && ! ls t 2>/dev/null")
        }
    }

    @Test(arguments: StoreKind.allCases)
    func treesOfTheStoreAreListedAndSearched(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                xenstore-write /t/1/name web /t/1/memory/target 1048576 /t/1/data '' \
                    /t/2/name database /t/2/device/vbd/51712/state 4 /t/2 own
                """
            )
            try await mount.expect(
                "ls -R t",
                prints: """
                    t:
                    1
                    2

                    t/1:
                    data
                    memory
                    name

                    t/1/memory:
                    target

                    t/2:
                    device
                    name

                    t/2/device:
                    vbd

                    t/2/device/vbd:
                    51712

                    t/2/device/vbd/51712:
                    state

                    """
            )
            try await mount.expect(
                "ls -lR t | grep -v '^total' | awk 'NF > 2 {print $1, $3, $4, $5, $9}' | head -5",
                prints: """
                    drwx------ root root 0 1
                    drwx------ root root 0 2
                    -rw------- root root 0 data
                    drwx------ root root 0 memory
                    -rw------- root root 4 name

                    """
            )
            try await mount.expect(
                "grep -r . t | sort",
                prints: """
                    t/1/memory/target:1048576
                    t/1/name:web
                    t/2/.value:own
                    t/2/device/vbd/51712/state:4
                    t/2/name:database

                    """
            )
            try await mount.expect("grep -rl database t", prints: "t/2/name\n")
            try await mount.expect("find t -type f | wc -l", prints: "6\n")
            try await mount.expect("find t -name state -size -2c", prints: "")
            try await mount.expect(
                "find t -name state -size 2c",
                prints: "t/2/device/vbd/51712/state\n"
            )
            try await mount.expect(
                "du -a t >/dev/null && tar cf - t | tar tf - | wc -l",
                prints: "13\n"
            )
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func programsReadAndWriteKeys(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                python3 - <<'END'
                import os, pathlib
                os.makedirs("t/p")
                key = pathlib.Path("t/p/key")
                key.write_text("first\\n")
                assert key.read_text() == "first\\n", key.read_text()
                with open(key, "r+b") as file:
                    file.seek(2)
                    file.write(b"XX")
                assert key.read_bytes() == b"fiXXt\\n", key.read_bytes()
                with open(key, "a") as file:
                    file.write("more\\n")
                assert key.stat().st_size == 11, key.stat()
                os.rename("t/p/key", "t/p/other")
                assert os.listdir("t/p") == ["other"]
                assert os.path.exists("t/p/other") and not os.path.exists("t/p/key")
                os.truncate("t/p/other", 3)
                END
                xenstore-read /t/p/other
                """,
                prints: "fiX\n"
            )
            try await mount.expect(
                "sed -i s/X/x/ t/p/other && cat t/p/other && ls t/p",
                prints: "fix\nother\n"
            )
            try await mount.expect("perl -i -pe 's/f/F/' t/p/other; cat t/p/other", prints: "Fix\n")
            try await mount.expect(
                "echo v | install -m 600 /dev/stdin t/p/i && cat t/p/i",
                prints: "v\n"
            )
            try await mount.expect(
                "dd if=t/p/other of=t/p/dd status=none && cat t/p/dd",
                prints: "Fix\n"
            )
            try await mount.expect(
                "awk '{print $1 \"!\" > \"t/p/awk\"}' t/p/dd; cat t/p/awk",
                prints: "Fix!\n"
            )
            try await mount.expectSameAsStore()
        }
    }
}
