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

    private func withRecipes(
        _ kind: StoreKind,
        _ body: (Mounted) async throws -> Void
    ) async throws {
        let recipes = try Recipes(page: Self.page)
        try await withMount(kind) { mount in
            try await recipes.install(for: mount)
            try await body(mount)
        }
    }
}
