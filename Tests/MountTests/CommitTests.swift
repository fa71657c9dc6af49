import Glibc
import MountSupport
import Testing

/// Commits that go wrong halfway: what a user is told, and what has happened.
struct CommitTests {
    private static let tolerated = ["lost the", "could not", "closing"]

    /// The store gets one request for the start, and one for the commit.
    @Test func anEmptyOneIsTwoRequests() async throws {
        try await withMount(.xenstored, MountSettings(usesProxy: true)) { mount in
            try await mount.expect(
                """
                cd .txn; mkdir first; rmdir first
                until tail -n 1 $T/proxy/requests | grep -q TRANSACTION_END; do :; done
                before=$(wc -l < $T/proxy/requests)
                mkdir t; mv -T t commit; tail -n +$((before + 1)) $T/proxy/requests
                """,
                prints: "TRANSACTION_START \nTRANSACTION_END T\n"
            )
        }
    }

    private static let conflict = """
        conflict() { # NAME: a transaction that cannot be committed
            xenstore-write /x 1; mkdir $1; cat $1/x >/dev/null; echo 2 >$1/x; xenstore-write /x 3
        }

        """

    /// mv(1) looks at the directory once more before it says why it cannot rename it.
    @Test(arguments: StoreKind.allCases, ["mv", "mv -T", "mv -f", "busybox mv"])
    func afterAFailedCommitItsDirectoryIsGoneAtOnce(kind: StoreKind, mv: String) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.conflict + """
                    cd .txn
                    for i in 1 2 3 4 5; do
                        conflict u; \(mv) u commit 2>&1 | grep -o 'Resource temporarily unavailable'
                        [ ! -e u ] || echo "u is still there"
                        conflict u; \(mv) u commit 2>/dev/null
                        stat u 2>&1 | grep -o 'No such file or directory'; ls -A
                    done
                    """,
                prints: String(
                    repeating: "Resource temporarily unavailable\nNo such file or directory\n",
                    count: 5
                )
            )
        }
    }

    /// The kernel has moved the directory to the name `commit`.
    @Test(arguments: StoreKind.allCases)
    func afterACommitThereIsNoSuchName(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                cd .txn
                for i in 1 2 3; do
                    mkdir u; mv u commit; stat commit 2>&1 | grep -o 'No such file or directory'
                    # This one asks for no attributes, and so the kernel asks nobody.
                    mkdir u; mv u commit; while stat -c %n commit >$T/out 2>&1; do :; done
                done
                """,
                prints: String(repeating: "No such file or directory\n", count: 3),
                limit: .seconds(30)
            )
        }
    }

    @Test func eachMvSaysWhyWhereManyFailAtOnce() async throws {
        try await withMount(.xenstored) { mount in
            try await mount.expect(
                Self.conflict + """
                    cd .txn; for i in $(seq 20); do conflict u$i; done
                    for i in $(seq 20); do mv u$i commit 2>$T/$i & done; wait
                    cat $T/[0-9]* | sed 's/.*: //' | sort | uniq -c | sed 's/^ *//'; ls -A
                    """,
                prints: "20 Resource temporarily unavailable\n"
            )
        }
    }

    /// Nobody but the thread that was refused may look, and that only once; and the name is free.
    @Test func onlyWhoWasRefusedLooksOnce() async throws {
        try await withMount(.xenstored) { mount in
            try await mount.expect(
                Self.conflict + """
                    cd .txn; conflict u; conflict v
                    python3 - <<'END'
                    import ctypes, errno, os, threading
                    libc = ctypes.CDLL(None, use_errno=True)
                    def commit(name, flags):
                        at, commit = ctypes.c_int(-100), b"commit" # AT_FDCWD
                        if libc.renameat2(at, name.encode(), at, commit, flags) == 0:
                            return "done"
                        return errno.errorcode[ctypes.get_errno()]
                    def elsewhere():
                        seen = []
                        look = lambda: seen.append(os.path.exists("u"))
                        thread = threading.Thread(target=look)
                        thread.start()
                        thread.join()
                        return seen[0]
                    print(commit("u", 1), elsewhere(), os.path.exists("u"), os.path.exists("u"))
                    print(elsewhere())
                    print(commit("v", 0), os.path.exists("v"))
                    for flags in 1, 0:
                        os.mkdir("v")
                        with open("v/x") as file:
                            file.read()
                        with open("../x", "w") as file:
                            file.write("other")
                        print(commit("v", flags))
                    END
                    """,
                prints: "EAGAIN False True False\nFalse\nEAGAIN False\nEAGAIN\nEAGAIN\n"
            )
        }
    }

    /// The answer is lost, not the commit.
    @Test(arguments: ["close", "garbage", "number", "silence"])
    func aLostAnswerIsEIO(fault: String) async throws {
        let settings = MountSettings(tolerated: Self.tolerated, usesProxy: true)
        try await withMount(.xenstored, settings) { mount in
            try await mount.expect(
                """
                cd .txn; mkdir x y; echo 1 > x/k; echo 1 > y/l
                echo \(fault) > $T/proxy/fault; mv -T x commit; rm $T/proxy/fault; false
                """,
                fails: "Input/output error"
            )
            try await eventually("the mount works again") {
                try await mount.run("cat k").output == "1\n"
            }
            // It is gone, and the other one with its connection.
            try await mount.expect("ls .txn; grep -c '^x: ' .txn/.conflict", prints: "y\n1\n")
            try await mount.expect(
                "mv .txn/y .txn/commit",
                fails: "Resource temporarily unavailable"
            )
            try await mount.expect("cat .txn/.conflict", prints: "y: the store has lost it\n")
            try await mount.expect(
                """
                mkdir .txn/x; echo 2 > .txn/x/k; mv .txn/x .txn/commit; cat k
                ls -A .txn; xenstore-exists /l || echo none
                """,
                prints: "2\nnone\n"
            )
        }
    }

    /// C xenstored 4.20 has ENOMEM for a guest's last key that goes twice.
    @Test(arguments: [StoreKind.xenstored, .xenstored420])
    func aConflictByAnotherName(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                xenstore-write /g 1; xenstore-chmod /g n5; mkdir .txn/t; rm .txn/t/g
                xenstore-rm /g; mv .txn/t .txn/commit
                """,
                fails: "Resource temporarily unavailable"
            )
            try await mount.expect(
                """
                cat .txn/.conflict
                xenstore-write /g 1; xenstore-chmod /g n5
                "$XSFS" transaction "$M" -- sh -c 'echo try; rm -f g; xenstore-rm /g'
                """,
                prints: "t: /g was changed meanwhile\ntry\ntry\n"
            )
        }
    }

    /// As a live update does that was forced: the connection lives, the transactions do not.
    @Test func aTransactionThatTheStoreHasLost() async throws {
        try await withMount(.xenstored, MountSettings(usesProxy: true)) { mount in
            try await mount.expect(
                """
                mkdir .txn/t; echo 1 >.txn/t/k; echo lost >$T/proxy/fault
                mv .txn/t .txn/commit
                """,
                fails: "Resource temporarily unavailable"
            )
            try await mount.expect(
                """
                cat .txn/.conflict; ls .txn
                "$XSFS" transaction "$M" -- sh -c '
                    if [ -e "$T/tried" ]; then echo again >k; exit; fi
                    echo lost >"$T/proxy/fault"; echo >"$T/tried"
                    cat tool/xenstored' 2>&1
                cat k
                """,
                prints: """
                    t: the store has lost it
                    cat: tool/xenstored: No such file or directory
                    again

                    """
            )
        }
    }

    /// A transaction may have any name, and the file has a line for it.
    @Test func theReasonIsOneLine() async throws {
        try await withMount(.served) { mount in
            try await mount.expect(
                """
                name=$'t\\n\\e[1m'; mkdir ".txn/$name"; echo 1 >".txn/$name/k"; xenstore-write /k 2
                mv -T ".txn/$name" .txn/commit 2>/dev/null; cat .txn/.conflict
                """,
                prints: #"t\n\x1b[1m: /k was changed meanwhile"# + "\n"
            )
        }
    }

    /// The store ends before it has done what it was asked.
    @Test(arguments: StoreKind.remote)
    func aStoreThatEndsMeanwhileIsEIO(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(tolerated: Self.tolerated)) { mount in
            // In .txn, of which the store knows nothing: what waits for it is the commit.
            let commit = try await mount.shell.start(
                """
                cd .txn; mkdir x; echo 1 > x/k; echo > $T/ready
                until [ -e $T/stopped ]; do :; done; exec mv -T x commit
                """
            )
            try await eventually("there is a transaction") {
                readFile(mount.shell.directory + "/ready") != nil
            }
            let store = try #require(mount.store)
            store.process.signal(SIGSTOP)
            try writeFile(mount.shell.directory + "/stopped", "")
            // More than once: it may be seen in a request that the mount answers by itself.
            var times = 0
            try await eventually("it waits") {
                times = whereabouts(commit.id).contains("request_wait_answer") ? times + 1 : 0
                return times == 5
            }
            store.process.signal(SIGKILL)
            #expect(try await commit.wait() == .exited(1))
            #expect(mount.shell.result(commit).errors.contains("Input/output error"))
            try await mount.expect("ls -A .txn")
        }
    }

    /// A rename that the store refuses after its first half cannot be taken back there: the whole
    /// is given up.
    @Test(arguments: [StoreKind.xenstored, .oxenstored])
    func aChangeThatFailsHalfwaySpoilsTheWhole(kind: StoreKind) async throws {
        try await withMount(kind) { host in
            try await host.expect(
                """
                xenstore-write /local/domain/5/data ''; chown 5 local/domain/5/data
                for key in local local/domain local/domain/5; do chmod 755 $key; done
                "$TOOLS/populate" "$S" tree /local/domain/5/data/tree 9
                "$TOOLS/populate" "$S" children /local/domain/5/data/tree 50
                xenstore-ls -fp > $T/before
                """
            )
            // The one refuses what is more than 1024 nodes in a transaction, the other 1000 in all.
            let moved = kind.isXenstored ? "tree" : "tree/00001"
            let refusal = kind.isXenstored ? "No space left on device" : "Disk quota exceeded"
            try await host.asGuest(5) { guest in
                try await guest.expect(
                    """
                    mkdir .txn/x; cd .txn/x/local/domain/5/data; echo 1 > before
                    mv \(moved) moved 2>&1 | grep -o '\(refusal)'
                    cd "$M"; mv .txn/x .txn/commit 2>&1 | grep -o 'Input/output error'
                    cat .txn/.conflict; ls -A .txn
                    """,
                    prints: """
                        \(refusal)
                        Input/output error
                        x: a change in it failed halfway

                        """
                )
                try await guest.expect(
                    """
                    "$XSFS" transaction "$M" -- sh -c '
                        cd local/domain/5/data; mv \(moved) moved 2> $T/why; :'
                    """,
                    fails: "xsfs: cannot commit: Input/output error"
                )
            }
            try await host.expect("xenstore-ls -fp | diff $T/before -")
        }
    }
}
