import MountSupport
import Testing

/// Sentences of docs/SEMANTICS.md that no program's everyday work shows.
struct ContractTests {
    @Test func aSharedMappingIsRefused() async throws {
        try await withMount(.embedded) { mount in
            try await mount.expect(
                """
                echo value > key; cat > $T/map.py <<'END'
                import mmap, os, sys
                file = os.open("key", os.O_RDWR)
                print(mmap.mmap(file, 6, mmap.MAP_PRIVATE)[:])
                mmap.mmap(file, 6, mmap.MAP_SHARED)
                END
                """
            )
            try await mount.expect("python3 $T/map.py", fails: "No such device")
            #expect(try await mount.run("python3 $T/map.py").output == "b'value\\n'\n")
        }
    }

    @Test(arguments: StoreKind.allCases)
    func anOpenDirectoryIsOneMoment(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("xenstore-write /t/a 1 /t/b 2")
            try await mount.expect(
                #"""
                perl -e '
                    opendir D, "t"; my $first = readdir D;
                    system "xenstore-write /t/c 3; xenstore-rm /t/a";
                    print join(" ", sort grep /\w/, $first, readdir D), "\n";
                    rewinddir D;
                    print join(" ", sort grep /\w/, readdir D), "\n";
                '
                """#,
                prints: "a b\nb c\n"
            )
        }
    }

    /// The kernel does not pass rewinddir(3) on, so the first reading looks like that of a program
    /// that never called it.
    @Test(arguments: StoreKind.allCases, [nil, "cache=watch"])
    func rewindingBeforeTheFirstReadingAsksAgain(kind: StoreKind, options: String?) async throws {
        try await withMount(kind, MountSettings(options: options)) { mount in
            try await mount.expect(
                #"""
                mkdir t t/sub
                perl -e '
                    opendir D, "t"; mkdir "t/own"; rewinddir D;
                    print join(" ", sort grep /\w/, readdir D), "\n";
                    opendir D, "t"; system "xenstore-write /t/others 3; xenstore-rm /t/sub";
                    rewinddir D;
                    print join(" ", sort grep /\w/, readdir D), "\n";
                '
                """#,
                prints: "own sub\nothers own\n"
            )
        }
    }

    @Test(arguments: StoreKind.allCases, [nil, "noinotify"])
    func whatIsSimplyGoneIsNeverStale(kind: StoreKind, options: String?) async throws {
        try await withMount(kind, MountSettings(options: options)) { mount in
            try await mount.expect(
                #"""
                cat > $T/gone.py <<'END'
                import os, subprocess
                subprocess.run(["xenstore-write", "/x/d/k", "v", "/x/f", "v"], check=True)
                directory, file = os.open("x/d", os.O_DIRECTORY), os.open("x/f", os.O_RDONLY)
                subprocess.run(["xenstore-rm", "/x/d"], check=True)
                subprocess.run(["xenstore-rm", "/x/f"], check=True)
                for descriptor in [directory, directory, file, file]:
                    try: os.fstat(descriptor)
                    except FileNotFoundError: pass
                print(os.listdir(directory), os.read(file, 9))
                END
                python3 $T/gone.py
                while [ ! -e $T/end ]; do
                    xenstore-write /c/a/b/c/d 1 /c/a/e 2 /c/f/g 3; xenstore-rm /c/a; xenstore-rm /c/f
                done & writer=$!
                until [ -d c ]; do :; done
                for ((i = 0; i < 100; i++)); do find c; ls -R c; grep -r . c; done 2>&1 >/dev/null |
                    grep -v 'No such file or directory$'
                touch $T/end; wait $writer
                """#,
                prints: "[] b'v\\n'\n",
                limit: patience * 3
            )
        }
    }

    @Test(arguments: StoreKind.remote)
    func piecesAreSeveralValues(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(usesProxy: true)) { mount in
            try await mount.expect(
                """
                (echo a; echo b) > key; grep -c "^WRITE /key$" $T/proxy/requests; xenstore-read /key
                """,
                prints: "2\na\\nb\n"
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func anOpenFileThatIsRemovedIsStillRead(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                echo value > key; exec 5<key; rm key
                stat -L -c %s /dev/fd/5; cat <&5; stat key 2>&1
                echo other > key; exec 6<key; xenstore-rm /key
                until ! stat key 2>/dev/null >&2; do :; done
                python3 -c 'import os
                try: os.fstat(6)
                except OSError: pass
                print(os.fstat(6).st_size, len(os.read(6, 100)))'
                ! stat key 2>&1
                """,
                prints: """
                    6
                    value
                    stat: cannot statx 'key': No such file or directory
                    6 6
                    stat: cannot statx 'key': No such file or directory

                    """
            )
        }
    }

    @Test func statfsKnowsNoSizes() async throws {
        try await withMount(.embedded) { mount in
            try await mount.expect("stat -f -c '%l %b %f' .", prints: "3071 0 0\n")
        }
    }

    @Test func aDomainThatDoesNotExistIsToldByXenstored() async throws {
        try await withMount(.xenstored) { mount in
            try await mount.expect("echo v > key")
            try await mount.expect("chown 999 key", fails: "No such file or directory")
            try await mount.expect("stat -c %u key", prints: "0\n")
        }
    }

    /// The write comes first and moves along, or it comes later and makes the key anew.
    @Test(arguments: StoreKind.allCases)
    func aRenameTakesWhatOthersWriteOrLeavesIt(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                cat > $T/race.py <<'END'
                import os, sys, threading
                sys.path.insert(0, os.environ["TOOLS"])
                from xenstore import Refused, Store
                store = Store(os.environ["S"])

                def read(path):
                    try:
                        return store.read(path)
                    except Refused:
                        return None

                for number in range(100):
                    old, new = f"d{number}", f"e{number}"
                    for key in ("x", "y", "z/deep"):
                        store.write(f"/{old}/{key}", key)
                    writer = threading.Thread(
                        target=store.write, args=(f"/{old}/child", number))
                    writer.start()
                    os.rename(old, new)
                    writer.join()
                    if b"%d" % number not in (read(f"/{old}/child"), read(f"/{new}/child")):
                        print(number, "lost")
                    for key in ("x", "y", "z/deep"):
                        if (read(f"/{old}/{key}"), read(f"/{new}/{key}")) != (None, key.encode()):
                            print(number, key, "is not where it belongs")
                END
                python3 $T/race.py
                """,
                limit: patience * 3
            )
        }
    }
}
