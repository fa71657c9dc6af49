import MountSupport
import Testing

/// A transaction that a program has forgotten.
struct TransactionAgeTests {
    @Test(arguments: StoreKind.allCases)
    func theStatusSaysWhoHasOneOpen(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                age() { sed -n "s/^xsfs_transaction_age_seconds{name=.$1.,$2.*} //p" .xsfs/status; }
                mkdir .txn/b
                until [ "$(age b '' | cut -d. -f1)" -ge 1 ]; do :; done
                mkdir .txn/a
                grep -o 'transaction_age_seconds{name="[ab]",uid="0",command="mkdir"' .xsfs/status
                age b ".*,ppid=.$$." | grep -c .
                mv .txn/a .txn/commit; rmdir .txn/b; grep -c transaction_age_seconds{ .xsfs/status || :
                """,
                prints: """
                    transaction_age_seconds{name="b",uid="0",command="mkdir"
                    transaction_age_seconds{name="a",uid="0",command="mkdir"
                    1
                    0

                    """
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func oneThatIsOpenForTooLongIsGivenUp(kind: StoreKind) async throws {
        let settings = MountSettings(options: "transaction_timeout=1")
        try await withMount(kind, settings) { mount in
            try await mount.expect(
                """
                mkdir t .txn/t; echo 1 >.txn/t/t/k; cd .txn/t/t
                until [ ! -e $M/.txn/t ]; do :; done
                cat k 2>&1 | sed 's/.*: //'; cd $M; cat .txn/.conflict; ls t
                grep -m 1 -o 'transaction t of mkdir.*was open for 1 s, and is given up' .xsfs/log |
                    sed 's/[0-9]*]/N]/'
                # Another one of that name is another one.
                mkdir .txn/t; echo 2 >.txn/t/t/k; mv .txn/t .txn/commit; cat t/k
                """,
                prints: """
                    Stale file handle
                    t: given up after 1 s
                    transaction t of mkdir[N] was open for 1 s, and is given up
                    2

                    """
            )
        }
    }

    @Test func theTimeIsANumber() async throws {
        try await withMount(.embedded) { mount in
            try await mount.expect(
                "\"$XSFS\" -o transaction_timeout=x --embedded $T",
                fails: "mount option 'transaction_timeout' needs a number, not 'x'"
            )
        }
    }
}
