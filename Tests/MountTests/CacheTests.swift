import MountSupport
import Testing

/// `cache=watch`: the kernel keeps all it was told, until the store tells of a change.
struct CacheTests {
    private static let settings = MountSettings(options: "cache=watch")

    @Test func theStoreIsNotAskedForWhatIsKept() async throws {
        try await withMount(.served, Self.settings) { mount in
            try await mount.expect(
                """
                mkdir -p t/a/c t/b; for i in {1..50}; do echo $i > t/a/c/k$i; done
                asked() { grep -E 'store_requests_total.operation="(READ|DIRECTORY|GET_PERMS)"' .xsfs/status; }
                look() { grep -r '' t | sort | cksum; ls -R t | cksum; stat -c '%n %s' t/a/c/*; }
                # First the names come, then what is behind them, then the contents. One that an
                # event of its making has overtaken comes later.
                look > $T/first; asked > $T/before
                until look > $T/second; asked > $T/after; cmp -s $T/before $T/after; do
                    mv $T/after $T/before
                done
                stat t/a/c/k7 > /dev/null; cat t/a/c/k9
                asked | diff $T/before -; diff $T/first $T/second
                """,
                prints: "9\n"
            )
        }
    }

    /// Opening it has asked nobody.
    @Test(arguments: StoreKind.allCases)
    func whatChangesWhileItIsOpenIsReadOn(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(options: "cache=watch")) { mount in
            try await mount.expect(
                "mkdir t; for k in a b c d; do echo $k > t/$k; done; ls -l t >$T/0"
            )
            try await mount.expect(
                Self.kept + "kept t/d; exec 3<t/d; xenstore-write /t/d/x 1; cat <&3",
                prints: "d\n"
            )
            try await mount.expect(
                Self.kept + "xenstore-rm /t/d/x; kept t/a; exec 3<t/a; rm t/a; cat <&3",
                prints: "a\n"
            )
            try await mount.expect(
                Self.kept + "kept t/b; exec 3<t/b; mv t/c t/b; cat - t/b <&3",
                prints: "b\nc\n"
            )
            try await mount.expect(
                Self.kept
                    + """
                    kept t/d; exec 3<t/d; xenstore-rm /t/d; until [ ! -e t/d ]; do :; done
                    cat <&3 2>$T/0; cat <&3
                    """,
                fails: "Stale file handle"
            )
        }
    }

    /// Waits until a file is read without a question to the store.
    private static let kept = """
        asked() { grep -E 'store_requests_total.operation="(READ|DIRECTORY|GET_PERMS)"' .xsfs/status; }
        kept() { until before=$(asked); cat $1 > $T/0; [ "$(asked)" = "$before" ]; do :; done; }

        """

    /// One program asks for the size, and is gone; another one reads, by the C library's streams.
    @Test(arguments: StoreKind.allCases)
    func anotherProgramReadsWhatOneHasLookedAt(kind: StoreKind) async throws {
        try await withMount(kind, Self.settings) { mount in
            try await mount.expect(
                """
                mkdir t; for i in {1..20}; do echo $i > t/k$i; done
                for i in {1..20}; do
                    f=t/k$i
                    [ -s $f ] && sed -n p $f
                    wc -c $f > $T/0; [ "$(cut -c1-3 $f)" = $i ] || echo cut
                    ls -l $f > $T/0; [ "$(sort $f)" = $i ] || echo sort
                    stat $f > $T/0; echo $i | cmp - $f
                done | diff - <(seq 20)
                """
            )
        }
    }

    /// A writer opens the file with O_TRUNC, and the store never holds what that leaves.
    @Test(arguments: StoreKind.allCases)
    func aValueThatIsWrittenAgainIsNeverSeenEmpty(kind: StoreKind) async throws {
        try await withMount(kind, Self.settings) { mount in
            try await mount.expect(
                """
                echo 1000 > k
                (until [ -e $T/done ]; do echo 2000 > k; echo 1000 > k; done) &
                for i in {1..300}; do echo "[$(cat k)]"; done | sort -u > $T/seen
                : > $T/done; wait
                [ -s $T/seen ] && ! grep -v '.[12]000.' $T/seen
                """
            )
        }
    }

    @Test func aWarmStatAsksNobody() async throws {
        try await withMount(.embedded, Self.settings) { mount in
            try await mount.expect(
                """
                asked() { grep -E 'store_requests_total.operation="(READ|DIRECTORY|GET_PERMS)"' .xsfs/status; }
                mkdir t; echo value > t/k
                # An event of the making may come late.
                until before=$(asked); stat t/k t > /dev/null; [ "$(asked)" = "$before" ]; do :; done
                kill -STOP \(mount.daemon.id)
                timeout 20 stat -c '%n %s' t/k t
                kill -CONT \(mount.daemon.id)
                """,
                prints: "t/k 6\nt 0\n"
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func ownChangesAreSeenAtOnce(kind: StoreKind) async throws {
        try await withMount(kind, Self.settings) { mount in
            try await mount.expect(
                """
                cat > $T/own.py <<'END'
                import os, random
                random.seed(1)
                os.mkdir("t")
                for number in range(400):
                    path = f"t/k{number % 5}"
                    value = random.choice("abc") * random.randrange(1, 60) + f" {number}\\n"
                    open(path, "w").write(value)
                    for _ in range(2):
                        if open(path).read() != value: print(number, "is not what was written")
                    if os.stat(path).st_size != len(value): print(number, "has another size")
                    mode = random.choice((0o600, 0o640, 0o644))
                    os.setxattr(path, "user.xenstore.perms", {
                        0o600: b"n0", 0o640: b"n0,r3", 0o644: b"r0"}[mode])
                    if os.stat(path).st_mode & 0o777 != mode: print(number, "has another mode")
                    if number % 7 == 0:
                        os.rename(path, "t/moved")
                        if open("t/moved").read() != value: print(number, "was not moved")
                        if os.path.exists(path): print(number, "is still there")
                        if "moved" not in os.listdir("t"): print(number, "is not listed")
                        os.unlink("t/moved")
                        if "moved" in os.listdir("t"): print(number, "is listed")
                END
                python3 $T/own.py
                """
            )
        }
    }

    /// One program has a directory open when something is made in it, and reads it after another
    /// has opened it.
    @Test func aListingThatIsReadLateIsNotKept() async throws {
        try await withMount(.served, Self.settings) { mount in
            try await mount.expect(
                """
                cat > $T/late.py <<'END'
                import os
                for number in range(20):
                    path = f"t{number}"
                    os.makedirs(path + "/old")
                    late = os.scandir(path)
                    os.mkdir(path + "/new")
                    later = os.scandir(path)
                    list(late)
                    if len(list(later)) != 2: print(number, "new is not there")
                    scratch = open(path + "/.s", "w")
                    if len(os.listdir(path)) != 3: print(number, ".s is not listed")
                    scratch.close()
                    os.unlink(path + "/.s")
                    if len(os.listdir(path)) != 2: print(number, ".s is listed")
                END
                python3 $T/late.py
                """
            )
        }
    }

    /// oxenstored tells nobody.
    @Test(arguments: StoreKind.allCases, ["strict", "watch"])
    func changesOfTheRootAreSeen(kind: StoreKind, cache: String) async throws {
        try await withMount(kind, MountSettings(options: "cache=\(cache)")) { mount in
            try await mount.expect(
                """
                for i in 1 2 3; do stat -c %a . ; ls -a | grep value; done
                xenstore-chmod / r0; xenstore-write / 1
                until [ $(stat -c %a .) = 755 ]; do :; done
                until ls -a | grep value; do :; done
                xenstore-write / two; until [ $(cat .value) = two ]; do :; done
                """,
                prints: "700\n700\n700\n.value\n"
            )
        }
    }

    /// Also where the store tells of it only after its answer.
    @Test(arguments: StoreKind.allCases)
    func whatIsCommittedIsSeenAtOnce(kind: StoreKind) async throws {
        try await withMount(kind, Self.settings) { mount in
            try await mount.expect(
                """
                cat > $T/commit.py <<'END'
                import os
                for number in range(100):
                    os.mkdir(".txn/t")
                    value = f"{number}\\n" * (number % 5 + 1)
                    open(".txn/t/k", "w").write(value)
                    os.rename(".txn/t", ".txn/commit")
                    if os.stat("k").st_size != len(value): print(number, "has another size")
                    if open("k").read() != value: print(number, "is not what was committed")
                    if "k" not in os.listdir("."): print(number, "is not listed")
                END
                python3 $T/commit.py
                """
            )
        }
    }

    /// A directory in which somebody makes a file is removed meanwhile: the first write makes both.
    @Test(arguments: StoreKind.allCases)
    func whatIsMadeAlongIsListed(kind: StoreKind) async throws {
        try await withMount(kind, Self.settings) { mount in
            try await mount.expect(
                """
                xenstore-write /t/d/c/x 1
                exec 5>>t/d/c/new
                xenstore-rm /t/d
                until mkdir t/d 2>/dev/null; do :; done
                mkdir t/d/b
                for i in {1..50}; do ls t/d; done | sort -u
                echo v >&5
                ls t/d; cat t/d/c/new
                """,
                prints: "b\nb\nc\nv\n"
            )
        }
    }

    /// Values of many lengths, one after the other: what is read is always one of them; with the
    /// kernel's cache, but for very few that change at that moment.
    @Test(arguments: StoreKind.allCases, [("strict", 0.0), ("watch", 0.01)])
    func aValueIsSeenWhole(kind: StoreKind, cache: (mode: String, mayFail: Double)) async throws {
        let settings = MountSettings(options: "cache=\(cache.mode)")
        try await withMount(kind, settings) { mount in
            try await mount.expect(
                """
                cat > $T/halves.py <<'END'
                import os, sys, threading
                sys.path.insert(0, os.environ["TOOLS"])
                from xenstore import Store
                values = ["x" * size + str(size) for size in (1, 2, 30, 700, 2000)]
                whole = {value.encode() + b"\\n" for value in values}
                store = Store(os.environ["S"])
                store.write("/t/k", values[0])
                writer = os.fork()
                if writer == 0:
                    for number in range(1000):
                        store.write("/t/k", values[number % len(values)])
                    os._exit(0)
                done = False

                counts = {True: 0, False: 0}

                def read():
                    while not done:
                        with open("t/k", "rb", buffering=0) as file:
                            counts[file.read(8192) in whole] += 1

                threads = [threading.Thread(target=read) for _ in range(2)]
                for thread in threads: thread.start()
                os.waitpid(writer, 0)
                done = True
                for thread in threads: thread.join()
                allowed = counts[True] * \(cache.mayFail)
                if counts[False] > allowed or not counts[True]: print(counts)
                print(open("t/k").read()[-5:], end="")
                END
                python3 $T/halves.py
                """,
                prints: "2000\n",
                limit: patience * 3
            )
        }
    }

    @Test func whatChangedWithoutAConnectionIsSeen() async throws {
        let settings = MountSettings(
            options: "cache=watch",
            tolerated: ["lost the socket"],
            usesProxy: true
        )
        try await withMount(.xenstored, settings) { mount in
            try await mount.expect(
                """
                export XENSTORED_PATH=$S
                xenstore-write /t/key v /t/gone v /t/d/x 1
                for i in 1 2 3; do cat t/key t/gone > /dev/null; ls -l t > /dev/null; done
                # Nothing would tell of a change now: nothing that was kept is shown.
                echo close > $T/proxy/fault; stat t/none 2>/dev/null
                until ! cat t/key 2>/dev/null >&2; do :; done
                xenstore-write /t/key longer /t/new n; xenstore-rm /t/gone
                rm $T/proxy/fault; until cat t/key 2>/dev/null; do :; done
                ls t; stat -c %s t/key; ! cat t/gone 2>&1
                """,
                prints: "longer\nd\nkey\nnew\n7\ncat: t/gone: No such file or directory\n"
            )
        }
    }

    /// Whoever is told by a stream or by inotify finds the new when it looks.
    @Test(arguments: StoreKind.allCases)
    func whoIsToldSeesTheNew(kind: StoreKind) async throws {
        try await withMount(kind, Self.settings) { mount in
            try await mount.expect(
                """
                cat > $T/told.py <<'END'
                import os, sys
                sys.path.insert(0, os.environ["TOOLS"])
                from xenstore import Store
                store = Store(os.environ["S"])
                store.write("/t/k", "0")
                stream = os.open("t/k.watch", os.O_RDONLY)
                kept = os.open("t/k", os.O_RDONLY)
                for number in range(1, 500):
                    value = str(number) * (number % 9 + 1)
                    store.write("/t/k", value)
                    os.read(stream, 4096)
                    if os.stat("t/k").st_size != len(value) + 1: print(number, "old size")
                    if open("t/k").read() != value + "\\n": print(number, "old value")
                END
                python3 $T/told.py
                source "$TOOLS/events.bash"
                watch $M/t/k
                xenstore-write /t/k new; told 'MODIFY t/k' 'CLOSE_WRITE,CLOSE t/k'
                cat t/k; kill $watcher
                """,
                prints: "new\n",
                limit: patience * 3
            )
        }
    }
}
