import Glibc
import MountSupport
import Testing

/// Transactions as shells and programs use them.
///
/// `XSFS_COUNTER=TURNS` sets how often each of eight shells counts.
struct TransactionTests {
    private static let turns = getenv("XSFS_COUNTER").flatMap { Int(String(cString: $0)) } ?? 20
    private static let stores: [StoreKind] = [
        .embedded, .xenstored, .oxenstored, .xenstored420, .oxenstored420,
    ]

    @Test(.timeLimit(.minutes(20)), arguments: stores)
    func eightShellsCountTogether(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                echo 0 > counter
                for options in "-i 100" "-r 2"; do
                    /usr/lib/xen-4.17/bin/test-xenstore $options > $T/xen 2>&1 || cat $T/xen
                done &
                for shell in 1 2 3 4 5 6 7 8; do
                    for turn in $(seq \(Self.turns)); do
                        "$XSFS" transaction --retries 1000 "$M" -- \
                            sh -c 'echo $(($(cat counter) + 1)) > counter' || exit
                    done &
                done
                wait; cat counter; ls -A .txn
                """,
                prints: "\(8 * Self.turns)\n",
                limit: patience + .seconds(30) * Self.turns
            )
            try await mount.expectSameAsStore()
        }
    }

    /// Streams of the mount and of the store tell of it when it is committed, and not before.
    @Test(arguments: StoreKind.allVersions)
    func nobodyIsToldBeforeTheCommit(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t; echo 1 > t/a
                exec 5< t/.watch; cat <&5 > $T/told & cat=$!
                xenstore-watch /t > $T/seen & watch=$!
                until [ -s $T/seen ]; do :; done
                mkdir .txn/x; echo 2 > .txn/x/t/a; echo 3 > .txn/x/t/b; rm .txn/x/t/a
                cat .txn/x/.watch 2>&1 | grep -o 'not supported'
                xenstore-write /t/marker 1
                until grep -q marker $T/told && grep -q marker $T/seen; do :; done
                cat $T/told; sed 1d $T/seen; rmdir .txn/x
                mkdir .txn/y; echo 2 > .txn/y/t/a; echo 3 > .txn/y/t/b; mv .txn/y .txn/commit
                until grep -q /t/b $T/told && grep -q /t/b $T/seen; do :; done
                sed 1d $T/told; sed 1,2d $T/seen; cat t/a t/b
                exec 5<&-; kill $cat $watch; wait $cat $watch || :
                """,
                prints: """
                    not supported
                    /t/marker
                    /t/marker
                    /t/a
                    /t/b
                    /t/a
                    /t/b
                    2
                    3

                    """
            )
        }
    }

    /// rename(2) is EXDEV between a transaction and the store: mv copies, and removes.
    @Test(arguments: StoreKind.allVersions)
    func mvCopiesIntoATransactionAndOutOfIt(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir -p t/d/e t2; echo 1 > t/d/e/a; printf '\\0\\n' > t/k; chmod 644 t/k
                cd .txn; mkdir 'in and.out' y
                python3 -c 'import os; os.rename("../t/d", "y/t/f")' 2>&1 | grep -o 'cross-device'
                rmdir y; mv ../t/k 'in and.out/t/k2'; ls ../t; cat 'in and.out/.changes'
                mkdir y; mv 'in and.out/t/k2' y/t/k3; cat 'in and.out/.changes' y/.changes
                mv y/t/d ../t2; cat ../t2/d/e/a; ls ../t
                mv y commit; ls ../t; stat -c %a ../t/k3; od -An -c ../t/k3; rmdir 'in and.out'
                """,
                prints: """
                    cross-device
                    d
                    write /t/k2
                    write /t/k3
                    1
                    d
                    k3
                    644
                      \\0  \\n

                    """
            )
            try await mount.expectSameAsStore()
        }
    }

    /// Whose reading commits has read one moment's values. (C xenstored shows a key that was not
    /// read yet as it is by then, and tells of that by the conflict.)
    @Test(arguments: stores)
    func aTransferIsNeverSeenHalfDone(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t; echo 100 > t/a; echo 0 > t/b
                for turn in $(seq 20); do
                    "$XSFS" transaction --retries 1000 "$M" -- sh -c '
                        echo $(($(cat t/a) - 1)) > t/a; echo $(($(cat t/b) + 1)) > t/b' || exit
                done &
                until [ "$(cat t/b)" = 20 ]; do
                    mkdir .txn/reader
                    sum=$(($(cat .txn/reader/t/a) + $(cat .txn/reader/t/b)))
                    mv .txn/reader .txn/commit 2> $T/conflict || continue
                    [ $sum = 100 ] || echo "the sum is $sum"
                done
                wait; cat t/a t/b
                """,
                prints: "80\n20\n",
                limit: patience * 3
            )
        }
    }

    /// As outside: the transaction is asked for what follows the end.
    @Test(arguments: StoreKind.allVersions)
    func whoReadsOnAfterTheEndSeesWhatFollows(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t .txn/x; cd .txn/x/t; echo 1 > a
                exec 5< a; cat <&5; cat <&5; echo 2 >> a; cat <&5; cat <&5; exec 5<&-
                mv ../../x ../../commit; cd "$M"; cat t/a
                """,
                prints: "1\n2\n1\n2\n"
            )
        }
    }

    @Test(arguments: StoreKind.allVersions)
    func toolsWorkInside(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t t/d t/d/e; echo 1 > t/d/a; echo 2 > t/d/e/b; chmod 644 t/d/a
                setfacl -m u:5:rw t/d/e/b
                cd .txn; mkdir x; cd x/t
                cp -a d copy; diff -r d copy && getfacl -cn copy/e/b | grep user:5
                sed -i s/1/one/ copy/a; cat copy/a; printf '3\\n4\\n' > c; sort -r c -o c; cat c
                setfacl -m u:6:r copy/a; mv copy moved; rm -r d; rm -r c
                mkdir packed; tar c --acls --xattrs moved | tar x -C packed --acls --xattrs; find . -type f | sort
                xenstore-exists /t/moved || echo unseen; ls "$M/t"
                cd ../..; mv x commit; ls "$M/t"; xenstore-read /t/packed/moved/a
                """,
                prints: """
                    user:5:rw-
                    one
                    4
                    3
                    ./moved/a
                    ./moved/e/b
                    ./packed/moved/a
                    ./packed/moved/e/b
                    unseen
                    d
                    moved
                    packed
                    one

                    """
            )
            try await mount.expect("xenstore-ls -p /t/moved | grep -c r6", prints: "1\n")
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allVersions)
    func whatIsOpenInAnEndedTransactionIsStale(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t; echo 1 > t/a
                mkdir .txn/x; exec 3< .txn/x/t/a 4>> .txn/x/t/a; rmdir .txn/x
                { cat <&3; echo 2 >&4; exec 3>&- 4>&-
                mkdir .txn/x; cd .txn/x/t; mv ../../x ../../commit; ls; } 2>&1 | grep -c "Stale file"
                """,
                prints: "3\n"
            )
            try await mount.expect("cat t/a; ls -A .txn", prints: "1\n")
            // What was written counts; what was to be done at the closing does not.
            try await mount.expect(
                """
                mkdir .txn/x; exec 3< .txn/x/t/a 4> .txn/x/t/new 5> .txn/x/t/late; echo 1 >&4
                mv .txn/x .txn/commit
                { cat <&3; echo 2 >&4; exec 3>&- 4>&- 5>&-; } 2>&1 | grep -c "Stale file"
                cat t/new; ls t
                """,
                prints: "2\n1\na\nnew\n"
            )
            // Nothing keeps the mount.
            try await mount.expect(
                "mkdir .txn/left; mkdir .txn/over; ls .txn",
                prints: "left\nover\n"
            )
        }
    }

    /// mv(1) says what happened, and the loop of the manual goes on by itself.
    @Test(arguments: StoreKind.allVersions)
    func aConflictIsToldByMv(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                "mkdir t; echo 1 > t/a; mkdir .txn/x; cat .txn/x/t/a",
                prints: "1\n"
            )
            try await mount.expect("xenstore-write /t/a 2; echo 3 > .txn/x/t/a")
            try await mount.expect(
                "mv .txn/x .txn/commit",
                fails: "Resource temporarily unavailable"
            )
            try await mount.expect("cat .txn/.conflict", prints: "x: /t/a was changed meanwhile\n")
            try await mount.expect("mkdir .txn/x; ls -A .txn", prints: "x\n")
            try await mount.expect(
                """
                echo 4 > .txn/x/t/a; mv .txn/x .txn/commit; cat t/a
                mkdir .txn/x; mv .txn/x .txn/commit; ls -A .txn
                """,
                prints: "4\n"
            )
            try await mount.expect("mv .txn/x .txn/commit", fails: "No such file or directory")
        }
    }

    @Test
    func theCommandsStatusIsTold() async throws {
        try await withMount(.embedded) { mount in
            try await mount.expect(
                """
                run() { "$XSFS" transaction "$@" 2>&1; echo "$?"; }
                run "$M" -- sh -c 'echo 1 > k'; cat k
                run "$M" -- sh -c 'echo 2 > k; exit 3'
                run "$M" -- sh -c 'echo 2 > k; kill -KILL $$'
                run "$M" -- no-such-command
                run "$M" -- /
                run "$T" -- true | sed s:$T:PLACE:
                run --retries 2 "$M" -- sh -c 'cat k >&2; xenstore-write /k other; echo 2 > k' |
                    sed s:$M:MOUNT:
                cat k; ls -A .txn
                """,
                prints: """
                    0
                    1
                    3
                    137
                    xsfs: cannot run no-such-command: No such file or directory
                    127
                    xsfs: cannot run /: Permission denied
                    126
                    xsfs: cannot begin a transaction in PLACE/.txn: No such file or directory
                    125
                    1
                    other
                    other
                    xsfs: other clients were in the way 3 times; MOUNT/.txn/.conflict tells of the last
                    75
                    other

                    """
            )
        }
    }

    @Test(arguments: StoreKind.remote)
    func aStoreThatIsStartedAgainHasLostThem(kind: StoreKind) async throws {
        let settings = MountSettings(tolerated: ["lost the", "could not", "closing"])
        try await withMount(kind, settings) { mount in
            try await mount.expect("mkdir .txn/x; echo 1 > .txn/x/k")
            try await #require(mount.store).stop()
            let again = try await TestStore.start(kind, in: mount.shell)
            let result = await Result(catching: {
                try await eventually("the mount works again") {
                    try await mount.run("ls").output.contains("tool")
                }
                try await mount.expect("mkdir .txn/y; ls .txn", prints: "x\ny\n")
                try await mount.expect(
                    "mv .txn/x .txn/commit",
                    fails: "Resource temporarily unavailable"
                )
                try await mount.expect(
                    "echo 2 > .txn/y/k; mv .txn/y .txn/commit; cat k",
                    prints: "2\n"
                )
            })
            try await again.stop()
            try result.get()
        }
    }
}
