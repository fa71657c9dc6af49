import MountSupport
import Testing

/// The scripts of docs/RECIPES.md do what the page says, as they stand there.
struct RecipeTests {
    private static let page = "docs/RECIPES.md"
    /// Runs a recipe, and tells its status where that is not 0.
    private static let tools = """
        PATH=$T/bin:$PATH
        recipe() {
            local name=$1 status=0; shift
            timeout 60 sh "$T/recipes/$name" "$@" || status=$?
            [ $status = 0 ] || echo "$name: status $status"
        }

        """

    /// The recipes that a test of this suite runs.
    private static let tested: Set = [
        "count", "retry", "look-first", "snapshot", "lock", "wait-until", "toolstack", "backend",
        "frontend", "domain",
    ]

    @Test func eachIsRun() throws {
        #expect(Set(try Recipes(page: Self.page).scripts.keys) == Self.tested)
    }

    @Test(arguments: StoreKind.allCases)
    func nothingIsLostToRetries(kind: StoreKind) async throws {
        try await withRecipes(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    echo 0 > counter
                    for shell in 1 2; do
                        for turn in 1 2 3 4 5; do
                            recipe count; until sh $T/recipes/retry 2> $T/conflict; do :; done
                        done &
                    done
                    wait; cat counter; ls -A .txn
                    """,
                prints: "20\n"
            )
            // Whoever never gets through says why, and leaves nothing.
            try await mount.expect(
                Self.tools + """
                    change='xenstore-write /counter $(date +1%N)'
                    sed "s:+ 1:+ \\$($change; echo 1):" $T/recipes/retry > $T/recipes/never
                    recipe never 2>&1 | sed 's/^[A-Za-z0-9]*: //'; ls -A .txn
                    """,
                prints: "/counter was changed meanwhile\nstatus 75\n"
            )
            // A transaction in which the work fails is forgotten.
            try await mount.expect(
                Self.tools + """
                    rm counter; recipe retry 2> $T/why; grep -c 'No such file' $T/why
                    ls -A .txn; xenstore-exists /counter || echo none
                    """,
                prints: "retry: status 1\n1\nnone\n"
            )
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aPersonLooksFirst(kind: StoreKind) async throws {
        try await withRecipes(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    mkdir -p vm/web vm/db/disk; echo 1024 > vm/web/memory
                    echo no | recipe look-first; find vm | sort
                    echo yes | recipe look-first; find vm | sort; cat vm/web/memory; ls -A .txn
                    """,
                prints: """
                    write /vm/web-old
                    write /vm/web-old/memory
                    write /vm/web/memory
                    remove /vm/db
                    vm
                    vm/db
                    vm/db/disk
                    vm/web
                    vm/web/memory
                    write /vm/web-old
                    write /vm/web-old/memory
                    write /vm/web/memory
                    remove /vm/db
                    vm
                    vm/web
                    vm/web-old
                    vm/web-old/memory
                    vm/web/memory
                    2048

                    """
            )
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aSumIsOfOneMoment(kind: StoreKind) async throws {
        try await withRecipes(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    mkdir account; echo 100 > account/a; echo 0 > account/b
                    for turn in $(seq 10); do
                        xsfs transaction --retries 1000 "$M" -- sh -c '
                            echo $(($(cat account/a) - 1)) > account/a
                            echo $(($(cat account/b) + 1)) > account/b'
                    done &
                    for turn in 1 2 3 4 5; do recipe snapshot; done
                    wait; cat account/b; ls -A .txn
                    """,
                prints: "100\n100\n100\n100\n100\n10\n"
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func oneAtATimeHoldsTheLock(kind: StoreKind) async throws {
        try await withRecipes(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    echo begin > used
                    for shell in 1 2 3 4; do
                        for turn in 1 2 3 4 5; do recipe lock x; done &
                    done
                    wait; cat used; ls tool
                    """,
                prints: "begin" + String(repeating: " x", count: 20) + "\nxenstored\n",
                limit: patience * 3
            )
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aValueIsWaitedFor(kind: StoreKind) async throws {
        try await withRecipes(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    xenstore-write /local/domain/5/data/x ''
                    recipe wait-until > $T/waited & waits=$!
                    until grep -q '^xsfs_files_open 1' .xsfs/status; do :; done
                    xenstore-write /local/domain/5/data/other 1 /local/domain/5/data/ready 0
                    [ -s $T/waited ] && echo too early
                    xenstore-write /local/domain/5/data/ready 1
                    wait $waits; cat $T/waited; recipe wait-until
                    """,
                prints: "ready\nready\n"
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func bothEndsOfADeviceConnect(kind: StoreKind) async throws {
        try await withRecipes(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    xenstore-write /local/domain/1/name web
                    recipe toolstack
                    recipe backend > $T/back & recipe frontend > $T/front & wait
                    cat $T/back $T/front
                    cat local/domain/5/device/vif/0/state local/domain/0/backend/vif/5/0/state
                    xenstore-ls -fp /local/domain | grep -e /state -e ring-ref | sort; ls -A .txn
                    """,
                prints: """
                    ring 8, port 15
                    connected
                    6
                    6
                    /local/domain/0/backend/vif/5/0/state = "6"   (n0,r5)
                    /local/domain/5/device/vif/0/ring-ref = "8"   (n5,r0)
                    /local/domain/5/device/vif/0/state = "6"   (n5,r0)

                    """
            )
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: [StoreKind.embedded, .served])
    func aDomainComesAndGoes(kind: StoreKind) async throws {
        try await withRecipes(kind) { mount in
            try await mount.expect(
                Self.tools + "mkdir -p local/domain/8; recipe domain",
                prints: "ok\nyes\nok\nno\n8\n"
            )
            try await mount.expectSameAsStore()
        }
    }

    // MARK: Steps that fail

    /// The shells that scripts are written for.
    private static let shells = ["sh", "busybox sh", "bash"]

    /// A failing NAME COMMAND: the recipe has a status that is not 0, has changed nothing, and has
    /// left no transaction.
    private static let failing =
        tools + """
            failing() { # NAME COMMAND...: COMMAND has spoilt a step of the recipe
                local name=$1 status=0
                [ -s $T/recipes/$name ] || echo "no recipe $name"
                xenstore-ls -fp >$T/before
                timeout 60 $SHELL_OF_TEST "$T/recipes/$name" x >$T/out 2>$T/why || status=$?
                [ $status != 0 ] && [ $status != 124 ] || echo "$name: status $status"
                [ -s $T/why ] || echo "$name says nothing"
                [ ! -s $T/out ] || sed "s/^/$name prints /" $T/out
                xenstore-ls -fp | diff $T/before -
                ls -A .txn
            }
            # without PROGRAM NAME: PROGRAM fails
            without() {
                printf '#!/bin/sh\necho "no $0" >&2\nexit 1\n' >$T/bin/$1; chmod +x $T/bin/$1
                failing $2
                rm $T/bin/$1
            }

            """

    @Test(arguments: StoreKind.allCases, shells)
    func aDeviceIsMadeWholeOrNotAtAll(kind: StoreKind, shell: String) async throws {
        try await withRecipes(kind) { mount in
            try await mount.expect(
                "SHELL_OF_TEST='\(shell)'\n" + Self.failing + """
                    xenstore-write /local/domain/1/name web
                    for program in mkdir chown setfacl; do without $program toolstack; done
                    # Keys that cannot be made: what is above has a value.
                    for key in /local/domain/5/device /local/domain/0/backend/vif; do
                        xenstore-write $key value; failing toolstack; xenstore-rm $key
                    done
                    # Nor can one be written that is a directory.
                    xenstore-write /local/domain/0/backend/vif/5/0/frontend-id/x 1
                    failing toolstack
                    """
            )
        }
    }

    /// C xenstored gives no key to a domain that does not exist.
    @Test func aDeviceOfNoDomainIsNotMade() async throws {
        try await withRecipes(.xenstored, MountSettings(domains: 1...4)) { mount in
            try await mount.expect(
                "SHELL_OF_TEST=sh\n" + Self.failing + "failing toolstack; cat $T/why",
                prints: """
                    chown: changing ownership of 'local/domain/5/device/vif/0': \
                    No such file or directory

                    """
            )
        }
    }

    @Test(arguments: StoreKind.allCases, shells)
    func anEndWithoutTheOtherFails(kind: StoreKind, shell: String) async throws {
        try await withRecipes(kind) { mount in
            try await mount.expect(
                "SHELL_OF_TEST='\(shell)'\n" + Self.failing + """
                    xenstore-write /local/domain/1/name web
                    back=/local/domain/0/backend/vif/5/0 front=/local/domain/5/device/vif/0
                    failing backend; failing frontend
                    # The other end is named, and is not there.
                    xenstore-write $back/frontend $front $back/state 2; failing backend
                    xenstore-write $front/backend $back $front/state 1; xenstore-rm $back
                    failing frontend
                    xenstore-rm /local/domain/5
                    # It goes while it is waited for.
                    for end in "backend $front" "frontend $back"; do
                        recipe toolstack
                        timeout 60 $SHELL_OF_TEST $T/recipes/${end% *} 2>/dev/null & waits=$!
                        until grep -q '^xsfs_files_open 1' .xsfs/status; do :; done
                        xenstore-rm ${end#* }; wait $waits && echo "${end% *} goes on"
                        xenstore-rm /local/domain/5; xenstore-rm /local/domain/0
                    done; true
                    """
            )
        }
    }

    @Test(arguments: shells)
    func whatCannotBeDoneIsNotDone(shell: String) async throws {
        try await withRecipes(.xenstored) { mount in
            try await mount.expect(
                "SHELL_OF_TEST='\(shell)'\n" + Self.failing + """
                    # There is neither a counter, nor an account, nor what is to be upgraded.
                    failing count; failing retry; failing snapshot; failing look-first </dev/null
                    mkdir -p vm/web; echo 1024 >vm/web/memory
                    without cp look-first; without rm look-first
                    # No directory for the lock, no transactions, nothing that it protects.
                    xenstore-rm /tool; failing lock; mkdir tool; failing lock
                    without mkdir lock
                    for name in count retry snapshot look-first; do without mkdir $name; done
                    # A stream that cannot be opened.
                    failing wait-until
                    """
            )
        }
    }

    /// The script prints why a command of `.xsfs/ctl` failed.
    @Test func aDomainThatIsRefusedEndsTheScript() async throws {
        try await withRecipes(.xenstored, MountSettings(domains: 1...4)) { mount in
            try await mount.expect(
                """
                sed 's/^ctl introduce 7 1 1/ctl introduce x/' $T/recipes/domain >$T/recipes/refused
                sed -i 's/domain.7/domain\\/3/; s/chown 7/chown 3/' $T/recipes/refused
                sh $T/recipes/refused 2>$T/why; echo $?; grep -c . $T/why
                """,
                prints: "1\n2\n"
            )
        }
    }

    private func withRecipes(
        _ kind: StoreKind,
        _ settings: MountSettings = MountSettings(),
        _ body: (Mounted) async throws -> Void
    ) async throws {
        let recipes = try Recipes(page: Self.page)
        try await withMount(kind, settings) { mount in
            try await recipes.install(for: mount)
            try await body(mount)
        }
    }
}
