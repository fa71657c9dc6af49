import Glibc
import MountSupport
import Testing

/// What others change is seen: at once, or for names and shapes when the event has come.
struct FreshnessTests {
    @Test(arguments: StoreKind.allCases)
    func nothingIsStale(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("\"$TOOLS/freshness\" \"$S\" \"$M\" 100", limit: patience * 3)
            try await mount.expectSameAsStore()
        }
    }

    /// Four processes write with libxenstore, and look through the mount when the store has
    /// acknowledged: value, size, existence, listing. `XSFS_FRESHNESS=25000` is 25,000 rounds of
    /// each, and takes a minute or so.
    @Test(.timeLimit(.minutes(20)), arguments: StoreKind.allCases)
    func nothingIsStaleUnderLoad(kind: StoreKind) async throws {
        let rounds = getenv("XSFS_FRESHNESS").flatMap { Int(String(cString: $0)) } ?? 150
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                gcc -std=c11 -Wall -Wextra -Werror -O1 -o $T/fresh "$TOOLS/fresh.c" -lxenstore &&
                    $T/fresh "$M" 4 \(rounds)
                """,
                limit: .seconds(max(60, rounds / 10))
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func permissionsAndShapesFollow(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            let follow = """
                until_is() { # COMMAND OUTPUT
                    for ((i = 0; i < 5000; i++)); do
                        [ "$(eval "$1" 2>&1)" = "$2" ] && return
                        sleep 0.005
                    done
                    echo "$1: $(eval "$1" 2>&1), not $2"
                }

                """
            try await mount.expect(
                follow + """
                    xenstore-write /t/key v /t/d/x 1 && stat t/key t/d/x t/d >/dev/null
                    for i in 1 2 3; do
                        xenstore-chmod /t/key r0; until_is 'stat -c %a t/key' 644
                        xenstore-chmod /t/key n5; until_is 'stat -c %a:%u t/key' 600:5
                        xenstore-chmod /t/d r0; until_is 'stat -c %a t/d' 755
                        xenstore-chmod /t/d n0; until_is 'stat -c %a t/d' 700
                        # A file gets children, and loses them.
                        xenstore-write /t/key/child $i; until_is 'cat t/key/child' $i
                        [ -d t/key ] && cat t/key/.value
                        xenstore-rm /t/key/child; until_is 'cat t/key' v
                        [ -f t/key ] || echo no file
                        # A key comes back as something else.
                        xenstore-rm /t/d; xenstore-write /t/d file; until_is 'cat t/d' file
                        xenstore-rm /t/d; xenstore-write /t/d/x 1; until_is 'ls t/d' x
                    done
                    """,
                prints: "v\nv\nv\n"
            )
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aWorkingDirectoryStaysOne(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                xenstore-write /t/d/e/x 1 && cd t/d/e && pwd -P | sed "s|$M||"
                xenstore-chmod /t r0; xenstore-chmod /t/d r0; xenstore-chmod /t/d/e r0 w5
                ls && cat x && echo 2 > y && xenstore-write /t/d/e/z 3 && cat z
                pwd -P | sed "s|$M||"
                xenstore-rm /t/d/e/x; xenstore-rm /t/d/e/y; xenstore-rm /t/d/e/z
                ls; echo back > x && ls && cat ../e/x && xenstore-read /t/d/e/x
                """,
                prints: "/t/d/e\nx\n1\n3\n/t/d/e\nx\nback\nback\n"
            )
            try await mount.expect(
                "cd t/d/e && xenstore-rm /t/d; cat x || ls",
                fails: "No such file or directory"
            )
            // Also when the mount has been told.
            for command in ["ls", "ls .", "stat ."] {
                try await mount.expect(
                    """
                    xenstore-write /t/d/e/x 1; cd t/d/e && xenstore-rm /t/d
                    while [ -e "$M/t/d" ]; do :; done; ls 2>$T/first
                    \(command)
                    """,
                    fails: "No such file or directory"
                )
            }
        }
    }

    /// Two mounts of one store are two clients of it.
    @Test(arguments: StoreKind.remote)
    func twoMountsSeeEachOther(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir $T/second && "$XSFS" --socket "$S" $T/second || exit
                for i in $(seq 50); do
                    echo $i > $T/second/key && [ "$(cat key)" = $i ] || echo stale at $i
                    echo > new$i && rm $T/second/new$i && [ ! -e new$i ] || echo stale name $i
                    mkdir lock && ! mkdir $T/second/lock 2>/dev/null && rmdir lock
                done
                fusermount3 -u $T/second
                """
            )
        }
    }
}
