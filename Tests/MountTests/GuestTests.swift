import Glibc
import MountSupport
import Testing

/// A mount in a guest: the store decides what it may, and its refusals come through.
struct GuestTests {
    @Test(arguments: [StoreKind.xenstored, .oxenstored])
    func theStoreDecides(kind: StoreKind) async throws {
        try await withMount(kind) { host in
            try await host.expect(
                """
                xenstore-write /local/domain/5/name guest /local/domain/5/data/x 0 \
                    /local/domain/6/name secret /local/domain/6/open open
                chown -R 5 local/domain/5/data; chmod 644 local/domain/6/open
                for key in local local/domain local/domain/5 local/domain/6; do chmod 755 $key; done
                setfattr -n user.xenstore.perms -v n0,r5 local/domain/5/name
                """
            )
            try await host.asGuest(5) { guest in
                try await guest.expect(
                    "cat local/domain/5/name local/domain/6/open",
                    prints: "guest\nopen\n"
                )
                try await guest.expect("ls local/domain", prints: "5\n6\n")
                try await guest.expect("ls local/domain/6", prints: "name\nopen\n")
                for command in [
                    "cat local/domain/6/name", "echo 1 > local/domain/6/open",
                    "echo 1 > local/domain/5/name", "mkdir local/domain/6/d",
                    "rm local/domain/6/open",
                ] {
                    try await guest.expect(command, fails: "Permission denied")
                }
                try await guest.expect(
                    "cd local/domain/5/data && echo 1 > a && mkdir b && mv a b/c"
                )
                try await guest.expect("cat local/domain/5/data/b/c", prints: "1\n")
                try await guest.expect(
                    "cd local/domain/5/data && chmod 644 b/c && stat -c %a:%u b/c",
                    prints: "644:5\n"
                )
                // The one daemon says "Permission denied", the other "Operation not permitted".
                for command in [
                    "mv local/domain/6/open local/domain/5/data/y",
                    "chown 6 local/domain/5/data/b/c",
                ] {
                    try await guest.expect(command, fails: "ermi")
                }
            }
            try await host.expect(
                "cat local/domain/5/data/b/c local/domain/6/name",
                prints: "1\nsecret\n"
            )
            try await host.expectSameAsStore()
        }
    }

    /// A subtree that takes more than the guest may have while it is copied stays where it was.
    @Test(arguments: [StoreKind.xenstored, .oxenstored])
    func aRenameBeyondTheQuotaChangesNothing(kind: StoreKind) async throws {
        try await withMount(kind) { host in
            try await host.expect(
                """
                xenstore-write /local/domain/5/data ''; chown 5 local/domain/5/data
                for key in local local/domain local/domain/5; do chmod 755 $key; done
                """
            )
            try await host.asGuest(5) { guest in
                try await host.expect(
                    "\"$TOOLS/populate\" \"$S\" tree /local/domain/5/data/tree 8"
                )
                try await host.expect(
                    "xenstore-ls -fp > $T/before; grep -c tree/ $T/before",
                    prints: "800\n"
                )
                try await guest.expect(
                    "cd local/domain/5/data && mv tree moved",
                    fails: kind.isXenstored ? "No space left on device" : "Disk quota exceeded"
                )
                try await host.expect("xenstore-ls -fp | diff $T/before -")
                try await guest.expect(
                    "cd local/domain/5/data && mv tree/00001 moved && ls | xargs",
                    prints: "moved tree\n"
                )
            }
        }
    }

    /// Each of these takes a transaction, of which the store allows the domain ten.
    @Test(arguments: Self.stores)
    func manyProgramsAtOnceWaitForTheirTurn(kind: StoreKind) async throws {
        try await withGuest(kind) { guest in
            try await guest.expect(
                """
                cd data
                for i in $(seq 40); do mkdir d$i; echo 1 >k$i; done
                for i in $(seq 40); do mkdir d$i/s & done; wait
                for i in $(seq 40); do echo $i >>k$i & done; wait
                for i in $(seq 40); do echo $i >>k1 & done; wait
                for i in $(seq 40); do mv k$i d$i/k & done; wait
                for i in $(seq 40); do truncate -s 1 d$i/k & done; wait
                for i in $(seq 40); do echo $i >d$i/k & done; wait
                for i in $(seq 40); do echo $i >d$i/new & done; wait
                cat d*/k d*/new | sort -n | uniq -c | grep -vc ' 2 '
                for i in $(seq 40); do rm -r d$i & done; wait
                ls
                """,
                prints: "0\n"
            )
        }
    }

    @Test(arguments: Self.stores)
    func writingAKeyThatIsThereTakesNoTransaction(kind: StoreKind) async throws {
        try await withGuest(kind) { guest in
            try await guest.expect(
                """
                echo 1 >data/k; stat data/k >/dev/null
                begun() { sed -n 's/.*"TRANSACTION_START"} //p' .xsfs/status; }
                before=$(begun)
                echo 2 >data/k; cp data/k $T/k; cp $T/k data/k; : >data/k; echo 3 | tee data/k
                cat data/k; echo $(($(begun) - before)) # `:` writes nothing, and empties it
                sed -i s/3/4/ data/k # this one replaces a file
                cat data/k; echo $(($(begun) - before))
                """,
                prints: "3\n3\n1\n4\n2\n"
            )
            // By the permissions, and not by the name of the owner alone.
            try await guest.expect("cat shared; echo 2 >shared; cat shared", prints: "1\n2\n")
            try await guest.expect("echo 1 >name", fails: "Permission denied")
            try await guest.expect(": >name", fails: "Permission denied")
        }
    }

    @Test(arguments: Self.stores)
    func transactionsThatUsersOpenLeaveOne(kind: StoreKind) async throws {
        try await withGuest(kind) { guest in
            try await guest.expect(
                """
                for i in $(seq 20); do mkdir .txn/t$i 2>$T/why || break; done
                sed 's/.*: //' $T/why; ls .txn | wc -l
                """,
                prints: kind.isOxenstored
                    ? "Disk quota exceeded\n10\n" : "No space left on device\n10\n"
            )
            try await guest.expect(
                """
                for i in $(seq 40); do mkdir data/d$i & done; wait
                ls data | wc -l
                rmdir .txn/t3; mkdir .txn/t11
                """,
                prints: "40\n"
            )
        }
    }

    /// Another program of the domain has all of them. `xsfs serve` alone has sockets for several.
    @Test func withoutATransactionAChangeFailsAfterAWhile() async throws {
        try await withGuest(.served) { guest in
            try await guest.expect(
                """
                hold() { # KEY: takes all transactions until there is such a file
                    python3 - "$1" <<'END'
                import os, socket, struct, sys, time
                store = socket.socket(socket.AF_UNIX)
                store.connect(os.environ["T"] + "/store/domain-5")
                def ask(kind, payload):
                    store.sendall(struct.pack("<4I", kind, 1, 0, len(payload)) + payload)
                    kind, _, _, length = struct.unpack("<4I", store.recv(16, socket.MSG_WAITALL))
                    store.recv(length, socket.MSG_WAITALL)
                    return kind
                while ask(6, b"\\0") == 6: pass
                print("held", flush=True)
                while not os.path.exists(sys.argv[1]): time.sleep(0.01)
                END
                }
                hold $T/free >$T/held & holder=$!
                until [ -s $T/held ]; do :; done
                mkdir data/d 2>&1 | sed 's/.*: //'; ls data
                mkdir .txn/t 2>&1 | sed 's/.*: //'
                echo 2 >shared # needs none
                { mkdir data/d && touch $T/made; } & maker=$!
                touch $T/free; wait $holder $maker; ls data; ls $T/made | wc -l
                """,
                prints: """
                    Resource temporarily unavailable
                    No space left on device
                    d
                    1

                    """,
                limit: patience * 2
            )
        }
    }

    private static let stores = [StoreKind.served, .xenstored, .oxenstored]

    /// A mount of what belongs to domain 5, in which `data` and what others share is there.
    private func withGuest(_ kind: StoreKind, _ body: (Shell) async throws -> Void) async throws {
        try await withMount(kind, MountSettings(guest: 5)) { host in
            try await host.expect(
                """
                home=/local/domain/5
                xenstore-write $home/name guest $home/domid 5 $home/data/x '' $home/shared 1
                xenstore-chmod $home n0 r5; xenstore-chmod $home/name n0 r5
                xenstore-chmod $home/domid n0 r5; xenstore-chmod $home/shared n0 b5
                xenstore-chmod -r $home/data n5; xenstore-rm $home/data/x
                """
            )
            try await host.asGuest(5, options: "subtree=.,empty=dir") { guest in
                try await body(guest)
            }
            try await host.expectSameAsStore()
        }
    }
}
