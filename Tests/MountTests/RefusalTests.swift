import MountSupport
import Testing

/// What fails, and with which words.
struct RefusalTests {
    @Test(arguments: StoreKind.allCases)
    func namesThatNoKeyCanHave(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir t; echo v > t/key")
            for name in ["a.b", "a b", "é", ".hidden", "a:b", "k+", "a.value.value", "~"] {
                try await mount.expect("mkdir 't/\(name)'", fails: "Operation not permitted")
                try await mount.expect("cat 't/\(name)'", fails: "No such file or directory")
                try await mount.expect("mv t/key 't/\(name)'", fails: "Operation not permitted")
                try await mount.expect("rm 't/\(name)'", fails: "No such file or directory")
            }
            try await mount.expect("ls t; cat t/key", prints: "key\nv\n")
            let allowed = "abc-DEF_019@x"
            try await mount.expect(
                "echo 1 > t/\(allowed); xenstore-read /t/\(allowed)",
                prints: "1\n"
            )
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func whatIsTooLarge(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                echo old > key; head -c 5000 /dev/zero | tr '\\0' x > $T/large
                head -c 1900 /dev/zero | tr '\\0' y > $T/fits
                """
            )
            try await mount.expect("cat $T/large > key", fails: "File too large")
            try await mount.expect("cat key", prints: "old\n")
            try await mount.expect("cat $T/large > new", fails: "File too large")
            try await mount.expect("cp $T/large key", fails: "File too large")
            try await mount.expect("cat $T/large >> key", fails: "File too large")
            try await mount.expect("truncate -s 5000 key", fails: "File too large")
            try await mount.expect("head -c 4093 $T/large > key", fails: "File too large")
            try await mount.expect("cat key && ! xenstore-exists /new", prints: "old\n")
            try await mount.expect("cp $T/fits key && cat key | tr -d '\\n' | cmp - $T/fits")
            // Paths longer than the store allows.
            try await mount.expect(
                """
                d=$(printf 'd%.0s' {1..200})
                for i in $(seq 20); do mkdir $d && cd $d || exit; done
                """,
                fails: "File name too long"
            )
            try await mount.expect("rm -r d*; ls -d d*", fails: "No such file")
            try await mount.expect(
                "cat $(printf 'x%.0s' {1..3100})",
                fails: "File name too long"
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func whatIsThereAlreadyOrIsOfTheOtherKind(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir t t/d t/empty; echo 1 > t/d/x; echo v > t/f")
            for (command, reason) in [
                ("mkdir t/d", "File exists"), ("mkdir t/f", "File exists"),
                ("set -C; echo 1 > t/f", "cannot overwrite existing file"),
                ("echo 1 > t/d", "Is a directory"), ("cat t/d", "Is a directory"),
                ("rmdir t/d", "Directory not empty"), ("rmdir t/f", "Not a directory"),
                ("rm t/d", "Is a directory"), ("unlink t/d", "Is a directory"),
                ("cat t/f/x", "Not a directory"), ("cat t/none", "No such file"),
                ("echo 1 > t/none/x", "No such file"), ("mkdir t/none/x", "No such file"),
                ("rmdir t/none", "No such file"), ("rm t/none", "No such file"),
                ("ln t/f t/g", "Operation not permitted"),
                ("ln -s f t/g", "Operation not permitted"),
                ("mkfifo t/g", "Operation not permitted"),
                ("mknod t/g c 1 3", "Operation not permitted"),
                ("python3 -c 'import os; os.open(\"t/f\", os.O_CREAT | os.O_EXCL)'", "File exists"),
            ] {
                try await mount.expect(command, fails: reason)
            }
            try await mount.expect("set -C; echo 1 > t/new; cat t/new t/f", prints: "1\nv\n")
            try await mount.expect("ls t", prints: "d\nempty\nf\nnew\n")
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func renamesThatMustNotHappen(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir -p t/d/e t/full t/empty; echo 1 > t/d/x; echo 2 > t/f; echo 3 > t/full/y
                cat > $T/rename.py <<'END'
                import ctypes, os, sys
                libc = ctypes.CDLL(None, use_errno=True)
                source, target, flags = sys.argv[1].encode(), sys.argv[2].encode(), int(sys.argv[3])
                if libc.renameat2(-100, source, -100, target, flags) != 0:
                    sys.exit(os.strerror(ctypes.get_errno()))
                END
                """
            )
            let rename = "python3 $T/rename.py"
            for (arguments, reason) in [
                ("t/d t/d/e/z 0", "Invalid argument"), ("t/d t/full 0", "Directory not empty"),
                ("t/f t/full 0", "Is a directory"), ("t/d t/f 0", "Not a directory"),
                ("t/none t/x 0", "No such file"), ("t/f t/none/x 0", "No such file"),
                ("t/f t/d/x 1", "File exists"), ("t/d t/full 1", "File exists"),
                ("t/f t/none 2", "No such file"), ("t/d t/d/e 2", "Invalid argument"),
            ] {
                try await mount.expect("\(rename) \(arguments)", fails: reason)
            }
            try await mount.expectSameAsStore()
            // And those that may.
            try await mount.expect(
                "\(rename) t/f t/g 1 && cat t/g && ls t",
                prints: "2\nd\nempty\nfull\ng\n"
            )
            try await mount.expect(
                "\(rename) t/g t/d 2 && cat t/d t/g/x && ls t/g",
                prints: "2\n1\ne\nx\n"
            )
            try await mount.expect(
                "\(rename) t/g t/empty 0 && cat t/empty/x && ls t",
                prints: "1\nd\nempty\nfull\n"
            )
            try await mount.expect("\(rename) t/d t/full/y 0 && cat t/full/y", prints: "2\n")
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aReadOnlyMountChangesNothing(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(options: "ro")) { mount in
            try await mount.expect("xenstore-write /t/f v /t/d/x 1; xenstore-ls -fp > $T/before")
            for command in [
                "echo 1 > t/f", "echo 1 > t/new", "echo 1 >> t/f", "mkdir t/new", "rm t/f",
                "rmdir t/d", "mv t/f t/g", "chmod 644 t/f", "chown 5 t/f", "touch t/f",
                "touch t/new",
                "truncate -s 0 t/f", "setfattr -n user.xenstore.value -v x t/f", "ln t/f t/g",
            ] {
                try await mount.expect(command, fails: "Read-only file system")
            }
            try await mount.expect("cat t/f t/d/x && ls t", prints: "v\n1\nd\nf\n")
            try await mount.expect("xenstore-ls -fp | diff - $T/before")
        }
    }

    /// C xenstored from 4.18 on lets the privileged domain make paths of any length.
    @Test func keysWhosePathsAreTooLongAreLeftOut() async throws {
        let settings = MountSettings(tolerated: ["listings leave out"])
        try await withMount(.xenstored420, settings) { mount in
            let name = String(repeating: "x", count: 2000)
            let long = String(repeating: "y", count: 3500)
            try await mount.expect("xenstore-write /t/a 1; ls t", prints: "a\n")
            let stream = try await mount.shell.start("timeout 60 head -n 2 t/.watch")
            try await eventually("it reads") {
                whereabouts(stream.id).contains("wait")
            }
            try await mount.expect(
                """
                xenstore-write /t/\(long) 2 /t/\(name)/\(long.prefix(1800)) 3 /t/b 4
                ls t | cut -c1-10; ls t | cut -c1-10; grep -r . t; ls t/\(name); stat -c %F t/\(name)
                [ "$(ls t | wc -l)" = 3 ]
                rmdir t/\(name) 2>&1 | grep -o 'Directory not empty'
                rm t/\(long) 2>&1 | grep -o 'File name too long'
                xenstore-rm /t/\(long); mv t u 2>&1 | grep -o 'File too large'; ls t | cut -c1-10
                """,
                prints: """
                    a
                    b
                    xxxxxxxxxx
                    a
                    b
                    xxxxxxxxxx
                    t/a:1
                    t/b:4
                    directory
                    Directory not empty
                    File name too long
                    File too large
                    a
                    b
                    xxxxxxxxxx

                    """
            )
            #expect(mount.log.contains("listings leave out"))
            #expect(!mount.log.contains("lost the"))
            _ = try await stream.wait()
        }
    }
}
