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
            let moved = kind == .xenstored ? "tree" : "tree/00001"
            let refusal = kind == .xenstored ? "No space left on device" : "Disk quota exceeded"
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
