import Glibc
import MountSupport
import Testing

/// Transactions that nobody needs any more are gone from the store, as the store itself counts.
struct LeakTests {
    private static let counting: [StoreKind] = [.embedded, .served, .xenstored]

    /// `opened COUNT` waits until the store says that it has so many open transactions.
    private static let tools = """
        count() {
            case $K in
                xenstored)
                    rm -f $T/store/memory
                    "$XSFS" control memreport /run/xenstored/memory >$T/reply &&
                        grep -c 'struct transaction' $T/store/memory ;;
                served) reported $T/store/log ;;
                embedded) reported $T/mount.log ;;
            esac
        }
        reported() {
            "$XSFS" control memreport >$T/reply &&
                sed -n 's/.*connections, \\([0-9]*\\) transactions/\\1/p' "$1" | tail -n 1
        }
        opened() {
            for ((i = 0; i < 500; i++)); do [ "$(count)" = $1 ] && return; done
            echo "not $1 open transactions but $(count)"
        }

        """

    @Test(arguments: counting)
    func eachEndIsTold(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    opened 0; echo 1 > k
                    mkdir .txn/a .txn/b .txn/c .txn/d; opened 4
                    rmdir .txn/a; opened 3
                    echo 2 > .txn/b/k; mv .txn/b .txn/commit; opened 2
                    cat .txn/c/k > $T/value; xenstore-write /k 3; mv .txn/c .txn/commit 2> $T/why
                    opened 1
                    echo x > .txn/d/new; mv .txn/d .txn/e; rmdir .txn/e; opened 0
                    """
            )
        }
    }

    /// What the mount does in transactions of its own, and where such a thing fails.
    @Test(arguments: counting)
    func nothingIsLeftOfOrdinaryWork(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    for turn in 1 2 3; do
                        mkdir d d/e; mkdir d; mv d f; mv f f/g; mv none d; rmdir f; rmdir f/e f
                        echo a >> k; echo b >> k; truncate -s 1 k; rm k; rm k; (set -C; : > l; : > l)
                        "$XSFS" transaction "$M" -- false
                        "$XSFS" transaction --retries 2 "$M" -- \\
                            sh -c 'cat l; xenstore-write /l $$; echo 2 > l'
                        "$XSFS" write a 1 b 2; "$XSFS" read none a; rm a b l
                    done > $T/all 2>&1
                    opened 0
                    """
            )
        }
    }

    @Test(arguments: [StoreKind.served, .xenstored])
    func unmountingEndsThem(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir .txn/a .txn/b; echo 1 > .txn/b/k")
            try await mount.shell.adding(["M": "/"]).expect(
                Self.tools + "opened 2; fusermount3 -u \(mount.point); opened 0"
            )
        }
    }

    @Test(arguments: [StoreKind.served, .xenstored])
    func aKilledMountLeavesNone(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(mayBeKilled: true)) { mount in
            try await mount.expect("mkdir .txn/a .txn/b; echo 1 > .txn/b/k")
            let outside = mount.shell.adding(["M": "/"])
            try await outside.expect(Self.tools + "opened 2")
            mount.daemon.signal(SIGKILL)
            try await outside.expect(
                Self.tools + "opened 0; xenstore-exists /k || echo none",
                prints: "none\n"
            )
        }
    }

    /// A guest may have ten: both daemons count, and refuse. (They let one more through.)
    @Test(arguments: [StoreKind.xenstored, .oxenstored])
    func aGuestsLimitIsNotUsedUp(kind: StoreKind) async throws {
        try await withMount(kind) { host in
            try await host.expect(
                """
                xenstore-write /local/domain/5/data/k 0; chown -R 5 local/domain/5/data
                for key in local local/domain local/domain/5; do chmod 755 $key; done
                """
            )
            try await host.asGuest(5) { guest in
                try await guest.expect(
                    """
                    home=local/domain/5/data; echo 1 > $home/k
                    for turn in $(seq 15); do
                        mkdir .txn/a .txn/b .txn/c
                        rmdir .txn/a
                        echo $turn > .txn/b/$home/k; mv .txn/b .txn/commit
                        cat .txn/c/$home/k > $T/value; echo 0 > .txn/c/$home/k
                        echo other$turn > $home/k; mv .txn/c .txn/commit && echo no conflict
                        "$XSFS" transaction "$M" -- false
                    done 2> $T/errors
                    for number in $(seq 15); do mkdir .txn/$number || break; done 2> $T/refusal
                    echo $number; grep -o '\(kind.isXenstored ? "No space" : "quota")' $T/refusal
                    """,
                    // Both stores allow eleven, and one is left for what needs no `.txn`.
                    prints: "11\n\(kind.isXenstored ? "No space" : "quota")\n"
                )
            }
        }
    }
}
