import MountSupport
import Testing

/// access(2), by which scripts ask before they do: `[ -w KEY ]`.
struct AccessTests {
    /// Prints for each path what may be done with it, as test(1) and access(2) say.
    private static let may = """
        may() {
            for path; do
                printf '%s ' "$path"
                for right in r w x; do [ -$right "$path" ] && printf $right; done
                python3 -c 'if True:
                    import os, sys
                    rights = zip("rwx", (os.R_OK, os.W_OK, os.X_OK))
                    print("", "".join(name for name, bit in rights if os.access(sys.argv[1], bit)))
                ' "$path"
            done
        }

        """

    @Test(arguments: StoreKind.allCases)
    func aValueIsNoProgram(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.may
                    + """
                    mkdir t t/d; echo v > t/k; echo v > t/.scratch; mkdir .txn/a
                    xenstore-chmod /t/k n3 r5
                    may t/k t/k.value t/k.dir t/d t/.scratch t/.watch .txn/a/t/k .txn/a/.changes
                    may .txn .txn/a .xsfs .xsfs/ctl .xsfs/status t/none
                    cd t/d && cd .. && rmdir ../.txn/a && [ -e k ] && ! [ -e none ]
                    """.replacing("n3", with: kind.isXenstored ? "n0" : "n3"),
                prints: """
                    t/k rw rw
                    t/k.value rw rw
                    t/k.dir rwx rwx
                    t/d rwx rwx
                    t/.scratch rw rw
                    t/.watch r r
                    .txn/a/t/k rw rw
                    .txn/a/.changes r r
                    .txn rwx rwx
                    .txn/a rwx rwx
                    .xsfs rwx rwx
                    .xsfs/ctl rw rw
                    .xsfs/status r r
                    t/none \u{20}

                    """
            )
        }
    }

    /// In a privileged domain nothing is asked for it. For `x` the kernel stats a file itself.
    @Test(arguments: StoreKind.remote)
    func askingCostsTheStoreNothing(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(usesProxy: true)) { mount in
            try await mount.expect(
                """
                mkdir t; echo v > t/k
                python3 -c 'if True:
                    import os
                    def count():
                        with open(os.environ["T"] + "/proxy/requests") as requests:
                            return len(requests.readlines())
                    # Looking a name up may ask.
                    files = [os.open(path, os.O_PATH) for path in ("t", "t/k")]
                    before = count()
                    for file in files:
                        for right in os.R_OK, os.W_OK:
                            print(os.access(f"/proc/self/fd/{file}", right), end=" ")
                    print(count() - before)
                '
                """,
                prints: "True True True True 0\n"
            )
        }
    }

    /// With the key `domid`, by which a guest knows its number, and without.
    @Test(arguments: [StoreKind.xenstored, .oxenstored], [false, true])
    func inAGuestItIsWhatTheStoreAllows(kind: StoreKind, isNumbered: Bool) async throws {
        try await withMount(kind) { host in
            try await host.expect(
                """
                xenstore-write /local/domain/5/name guest /local/domain/5/data/x 0 \
                    /local/domain/5/data/given 0 /local/domain/5/data/all 0 \
                    /local/domain/6/secret 1
                chown -R 5 local/domain/5/data
                for key in local local/domain local/domain/5; do chmod 755 $key; done
                setfattr -n user.xenstore.perms -v n0,r5 local/domain/5/name
                setfattr -n user.xenstore.perms -v n0,b5 local/domain/5/data/given
                setfattr -n user.xenstore.perms -v b0 local/domain/5/data/all
                \(isNumbered ? "echo 5 > local/domain/5/domid" : "")
                \(isNumbered ? "chmod 644 local/domain/5/domid" : "")
                """
            )
            try await host.asGuest(5) { guest in
                try await guest.expect(
                    Self.may + """
                        may local/domain/5 local/domain/6
                        cd local/domain/5 && may name data data/x data/given data/all
                        exec 5> data/new; may data/new; exec 5>&-; may data/new data/none
                        cd data && mkdir d && may d d/.value && rm -r d new
                        """,
                    prints: """
                        local/domain/5 rx rx
                        local/domain/6 x x
                        name r r
                        data rwx rwx
                        data/x rw rw
                        data/given rw rw
                        data/all rw rw
                        data/new rw rw
                        data/new rw rw
                        data/none \u{20}
                        d rwx rwx
                        d/.value rw rw

                        """
                )
                // As opening says.
                try await guest.expect("echo 1 > local/domain/5/name", fails: "Permission denied")
            }
        }
    }

    @Test func aReadOnlyMountSaysSo() async throws {
        try await withMount(.served, MountSettings(options: "ro")) { mount in
            try await mount.expect(
                Self.may + """
                    xenstore-write /k v /d/x 1; may k d .xsfs/ctl
                    python3 -c 'import ctypes, os
                    calls = ctypes.CDLL(None, use_errno=True)
                    print(calls.access(b"k", os.W_OK), os.strerror(ctypes.get_errno()))'
                    """,
                prints: "k r r\nd rx rx\n.xsfs/ctl r r\n-1 Read-only file system\n"
            )
        }
    }

    /// With `allow_other` the kernel answers by owner and mode, of users and not of domains.
    @Test func amongUsersTheKernelAnswers() async throws {
        let other = "setpriv --reuid 6 --regid 65534 --clear-groups"
        for (options, shown) in [
            ("allow_other", "mine \nopen \nd \n"),
            ("allow_other,uid=6", "mine rw\nopen rw\nd rwx\n"),
            ("allow_other,owner=domid", "mine rw\nopen r\nd rx\n"),
        ] {
            try await withMount(.served, MountSettings(options: options)) { mount in
                try await mount.expect(
                    """
                    chmod 711 $T; xenstore-write /mine v /open v /d/x v
                    xenstore-chmod /mine n6; xenstore-chmod /open r0; xenstore-chmod /d r0
                    xenstore-chmod / r0
                    \(other) bash -c 'cd $0 2> /dev/null
                    for path in mine open d; do
                        printf "$path "
                        for right in r w x; do [ -$right $path ] && printf $right; done
                        echo
                    done' $M
                    [ -w mine ] && [ -w open ] && ! [ -x open ] && [ -x d ]
                    """,
                    prints: shown
                )
            }
        }
    }
}
