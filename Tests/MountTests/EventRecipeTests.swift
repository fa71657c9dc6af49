import Glibc
import MountSupport
import Testing

/// The scripts of docs/EVENTS.md, and the programs that it names, are told of changes by others.
struct EventRecipeTests {
    private static let page = "docs/EVENTS.md"

    private static let tools = """
        # follow COMMAND...: runs it beside the test, with its output in $T/out.
        follow() { : > $T/out; setsid "$@" >> $T/out 2>&1 & follower=$!; }
        # until_told PATTERN KEY: writes numbers to the key until the program tells of it. When it
        # begins to watch cannot be seen from outside.
        until_told() {
            local number=0
            until grep -q "$1" $T/out; do
                xenstore-write "$2" $((number += 1)); sleep 0.05
            done
        }
        # and_then PATTERN: waits for a line. There may be more of it: who is told of two changes and
        # looks after the second shows that twice.
        and_then() { until grep -m 1 "$1" $T/out; do sleep 0.01; done; }
        no_more() { kill -- -$follower; wait $follower 2>/dev/null; true; }

        """

    @Test func eachIsRun() throws {
        let names = try Recipes(page: Self.page).scripts.keys
        #expect(Set(names) == ["follow", "follow-stream", "wait-for", "log", "watch.py"])
    }

    @Test(arguments: ["follow", "follow-stream"])
    func aScriptFollowsAKey(recipe: String) async throws {
        try await run(
            """
            target=/local/domain/5/memory/target
            xenstore-write $target 0
            follow sh $T/recipes/\(recipe)
            until_told 'target: [1-9]' $target
            xenstore-write $target 4096; and_then '^target: 4096$'
            no_more
            """,
            prints: "target: 4096\n"
        )
    }

    @Test func aValueIsWaitedFor() async throws {
        try await run(
            """
            state=/local/domain/5/device/vbd/51712/state
            xenstore-write $state 1
            follow sh $T/recipes/wait-for
            xenstore-write $state 2 $state 3; kill -0 $follower
            xenstore-write $state 4; wait $follower; echo $?
            """,
            prints: "0\n"
        )
    }

    @Test func everythingOfAGuestIsLogged() async throws {
        try await run(
            """
            xenstore-write /local/domain/5/name g
            follow sh $T/recipes/log
            until_told 'domain/5/name$' /local/domain/5/name
            xenstore-write /local/domain/5/new/deep x
            and_then 'new/deep$' | sed 's/^[0-9:]* //'
            no_more
            """,
            prints: "/local/domain/5/new/deep\n"
        )
    }

    @Test func watchdogIsTold() async throws {
        try await run(
            """
            xenstore-write /t/key 0
            follow python3 $T/recipes/watch.py $M/t
            until_told 'modified .*/t/key' /t/key
            xenstore-write /t/new x; and_then 'created .*/t/new' | sed "s:$M::"
            xenstore-rm /t/new; and_then 'deleted .*/t/new' | sed "s:$M::"
            no_more
            """,
            prints: "created /t/new\ndeleted /t/new\n"
        )
    }

    @Test func tailShowsWhatIsAppended() async throws {
        try await run(
            """
            xenstore-write /t/key one
            follow tail -F t/key; and_then '^one$'
            xenstore-write /t/key $'one\ntwo'; and_then '^two$'
            no_more
            """,
            prints: "one\ntwo\n"
        )
    }

    @Test func entrRunsItsCommandAgain() async throws {
        try await run(
            """
            xenstore-write /t/key 0
            ls t/* > $T/names
            follow sh -c "entr -an cat t/key < $T/names"
            until_told '^[1-9]' /t/key
            xenstore-write /t/key last; and_then '^last$'
            no_more
            """,
            prints: "last\n"
        )
    }

    @Test func vimReadsTheFileAgain() async throws {
        try await run(
            """
            xenstore-write /t/key old
            vim -es -u NONE -c 'set autoread' -c 'silent !xenstore-write /t/key newer' \\
                -c checktime -c "w! $T/read" -c 'qa!' t/key
            cat $T/read
            """,
            prints: "newer\n"
        )
    }

    @Test(arguments: ["follow", "follow-stream", "wait-for", "log"], ["sh", "busybox sh", "bash"])
    func aKeyThatCannotBeReachedEndsTheScript(recipe: String, shell: String) async throws {
        try await run(
            """
            grep -q local/domain/5 $T/recipes/\(recipe)
            (timeout 60 \(shell) $T/recipes/\(recipe); echo $? >$T/status) 2>$T/why
            grep -x -e 0 -e 124 $T/status; grep -oi 'no such file' $T/why | tr N n
            """,
            prints: "no such file\n"
        )
    }

    /// When the mount ends, a script that waits for a value does not go on as if it were there.
    @Test(arguments: ["sh", "busybox sh", "bash"])
    func theEndOfTheMountIsNoValue(shell: String) async throws {
        let recipes = try Recipes(page: Self.page)
        try await withMount(.xenstored) { mount in
            try await recipes.install(for: mount)
            try await mount.expect("xenstore-write /local/domain/5/device/vbd/51712/state 1")
            let waiting = try await mount.shell.start("cd /; exec \(shell) $T/recipes/wait-for")
            try await eventually("it waits") {
                try await mount.run("grep -q '^xsfs_files_open 1' .xsfs/status").status
                    == .exited(0)
            }
            mount.daemon.signal(SIGTERM)
            #expect(try await waiting.wait() == .exited(1))
        }
    }

    private func run(_ script: String, prints output: String) async throws {
        let recipes = try Recipes(page: Self.page)
        try await withMount(.xenstored) { mount in
            try await recipes.install(for: mount)
            try await mount.expect(Self.tools + script, prints: output)
        }
    }
}
