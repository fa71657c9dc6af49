import Glibc
import MountSupport
import Testing

/// What inotify tells of changes that others make.
struct InotifyTests {
    private static let tools = "source \"$TOOLS/events.bash\"\n"

    @Test(arguments: StoreKind.allVersions)
    func everyChangeOfAnotherClientIsTold(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    xenstore-write /t/key v /t/d/x 1 /t/e ''
                    watch -r $M/t
                    xenstore-write /t/key w; told 'MODIFY t/key' 'CLOSE_WRITE,CLOSE t/key'
                    # The same value again is a write, too.
                    xenstore-write /t/key w; told 'MODIFY t/key' 'CLOSE_WRITE,CLOSE t/key'
                    xenstore-write /t/new n
                    told 'CREATE t/new' 'MODIFY t/new' 'CLOSE_WRITE,CLOSE t/new'
                    xenstore-chmod /t/key r0; told 'ATTRIB t/key'
                    xenstore-chmod /t/d r0; told 'ATTRIB,ISDIR t/d' 'ATTRIB,ISDIR t/d/'
                    # One event of the store makes a directory and the key in it.
                    xenstore-write /t/d/y/z 1; told 'CREATE,ISDIR t/d/y'
                    watched t/d/y
                    xenstore-write /t/d/y/z 2; told 'MODIFY t/d/y/z' 'CLOSE_WRITE,CLOSE t/d/y/z'
                    xenstore-rm /t/d/y/z; told 'DELETE t/d/y/z'
                    xenstore-rm /t/new; told 'DELETE t/new'
                    xenstore-rm /t/d; told 'DELETE t/d/x' 'DELETE,ISDIR t/d/y' 'DELETE,ISDIR t/d'
                    # A file gets a child, and is a directory.
                    xenstore-write /t/e/child 1; told 'DELETE t/e' 'CREATE,ISDIR t/e'
                    watched t/e
                    xenstore-write /t/e own
                    told 'CREATE t/e/.value' 'MODIFY t/e/.value' 'CLOSE_WRITE,CLOSE t/e/.value'
                    nothing_else t/end
                    """
            )
        }
    }

    /// The kernel knows the directory, and nothing of what is in it.
    @Test(arguments: StoreKind.allVersions)
    func theFirstChangeIsToldForWhatItIs(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    xenstore-write /t/a 1 /t/b 2 /t/c 3 /t/d/x 4
                    watch $M/t
                    xenstore-chmod /t/a r0; told 'ATTRIB t/a'
                    xenstore-rm /t/b; told 'DELETE t/b'
                    xenstore-write /t/c 4; told 'MODIFY t/c' 'CLOSE_WRITE,CLOSE t/c'
                    xenstore-chmod /t/d r0; told 'ATTRIB,ISDIR t/d'
                    # Below a directory that is not watched.
                    xenstore-write /t/d/x 5 /t/d/y 6; xenstore-rm /t/d/x
                    xenstore-rm /t/d; told 'DELETE,ISDIR t/d'
                    nothing_else t/end
                    watch $M
                    xenstore-write /top 1
                    told 'CREATE top' 'MODIFY top' 'CLOSE_WRITE,CLOSE top'
                    xenstore-chmod /tool r0; told 'ATTRIB,ISDIR tool'
                    nothing_else end
                    watch $M/t/c
                    xenstore-write /t/c 5; told 'MODIFY t/c' 'CLOSE_WRITE,CLOSE t/c'
                    """
            )
        }
    }

    /// oxenstored sends no event for it.
    @Test(arguments: [StoreKind.embedded, .served, .xenstored])
    func whoMayUseTheRootIsTold(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    watch $M
                    xenstore-chmod / r0; told 'ATTRIB,ISDIR '
                    chmod 700 $M; told 'ATTRIB,ISDIR '
                    nothing_else end
                    """
            )
        }
    }

    @Test(arguments: StoreKind.allVersions)
    func aChangeThroughTheMountIsToldOnce(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    xenstore-write /t/d/x 1
                    watch -r $M/t
                    echo 1 > t/own; told 'CREATE t/own' 'MODIFY t/own' 'CLOSE_WRITE,CLOSE t/own'
                    echo 2 >> t/own; told 'MODIFY t/own' 'CLOSE_WRITE,CLOSE t/own'
                    chmod 644 t/own; told 'ATTRIB t/own'
                    mv t/own t/moved; told 'MOVED_FROM t/own' 'MOVED_TO t/moved'
                    rm t/moved; told 'DELETE t/moved'
                    mkdir t/dir; told 'CREATE,ISDIR t/dir'
                    rmdir t/dir; told 'DELETE,ISDIR t/dir'
                    mv t/d t/e; told 'MOVED_FROM,ISDIR t/d' 'MOVED_TO,ISDIR t/e'
                    mv t/e t/d; told 'MOVED_FROM,ISDIR t/e' 'MOVED_TO,ISDIR t/d'
                    echo 5 > t/.tmp; mv t/.tmp t/key
                    told 'CREATE t/.tmp' 'MODIFY t/.tmp' 'CLOSE_WRITE,CLOSE t/.tmp' \\
                        'MOVED_FROM t/.tmp' 'MOVED_TO t/key'
                    setfattr -n user.xenstore.perms -v n0,r5 t/key; told 'ATTRIB t/key'
                    # What another client does in between is told.
                    xenstore-write /t/key 6; told 'MODIFY t/key' 'CLOSE_WRITE,CLOSE t/key'
                    nothing_else t/end
                    """
            )
        }
    }

    /// The store's events look the same for both. That the question about a local change has been
    /// answered, and with that it is over, the log shows.
    @Test(arguments: StoreKind.allVersions)
    func theSameValueByAnotherClientIsToldAfterAChangeThroughTheMount(kind: StoreKind)
        async throws
    {
        try await withMount(kind, MountSettings(log: ["--log=inotify=debug"])) { mount in
            try await mount.expect(
                Self.tools + """
                    over() { grep -c "$1: no event for its own value and permissions" $T/mount.log; }
                    xenstore-write /t/k 1
                    watch $M/t
                    for i in {1..20}; do
                        before=$(over k)
                        # As echo 1 > t/k, without an event of its own for the truncation.
                        echo 1 1<>t/k; told 'MODIFY t/k' 'CLOSE_WRITE,CLOSE t/k'
                        until [ "$(over k)" -gt "$before" ]; do :; done
                        xenstore-write /t/k 1; told 'MODIFY t/k' 'CLOSE_WRITE,CLOSE t/k'
                    done
                    before=$(over k)
                    chmod 644 t/k; told 'ATTRIB t/k'
                    until [ "$(over k)" -gt "$before" ]; do :; done
                    xenstore-write /t/k 1; told 'MODIFY t/k' 'CLOSE_WRITE,CLOSE t/k'
                    mv t/k t/l; told 'MOVED_FROM t/k' 'MOVED_TO t/l'
                    until [ "$(over l)" -gt 0 ]; do :; done
                    xenstore-write /t/l 1; told 'MODIFY t/l' 'CLOSE_WRITE,CLOSE t/l'
                    nothing_else t/end
                    """
            )
        }
    }

    /// The kernel may know a directory without having looked it up, as the one that mkdir made.
    @Test(arguments: StoreKind.allVersions, ["strict", "watch"])
    func eachOwnRemovalIsOneEvent(kind: StoreKind, cache: String) async throws {
        try await withMount(kind, MountSettings(options: "cache=\(cache)")) { mount in
            try await mount.expect(
                Self.tools + """
                    mkdir t t/i; cd t/i; echo 1 >a; echo 2 >b; echo 3 >x; echo 4 >y; mkdir d e e/f
                    # With -r it would list the directory, and the mount would know the names.
                    watch $M/t/i; cd $M
                    rm t/i/a; told 'DELETE t/i/a'
                    mv t/i/b t/i/c; told 'MOVED_FROM t/i/b' 'MOVED_TO t/i/c'
                    mv t/i/x t/i/y; told 'MOVED_FROM t/i/x' 'MOVED_TO t/i/y'
                    rmdir t/i/d; told 'DELETE,ISDIR t/i/d'
                    mv t/i/e t/e; told 'MOVED_FROM,ISDIR t/i/e'
                    # What others do there has its own events, too.
                    xenstore-write /t/i/new 1
                    told 'CREATE t/i/new' 'MODIFY t/i/new' 'CLOSE_WRITE,CLOSE t/i/new'
                    xenstore-rm /t/i/c; told 'DELETE t/i/c'
                    mkdir .txn/x; rm .txn/x/t/i/y; mv .txn/x .txn/commit; told 'DELETE t/i/y'
                    nothing_else t/i/end
                    """
            )
        }
    }

    @Test(arguments: StoreKind.remote)
    func transactionsAndOtherMountsAreTold(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    mkdir $T/second && "$XSFS" --socket "$S" $T/second || exit
                    xenstore-write /t/a 1 /t/b 1
                    watch $M/t
                    python3 -c '
                    import os, sys
                    sys.path.insert(0, os.environ["TOOLS"])
                    from xenstore import Store
                    Store(os.environ["S"]).transaction({"/t/a": 2, "/t/b": None, "/t/c": 3})'
                    # What came before is told before.
                    xenstore-write /t/marker ''
                    until grep -q "CREATE $M/t/marker" $T/told; do sleep 0.01; done
                    tail -n +$((seen + 1)) $T/told | sed "s| $M/| |" | sort
                    seen=$(grep -c '' $T/told)
                    echo 1 > $T/second/t/d; told 'CREATE t/d' 'MODIFY t/d' 'CLOSE_WRITE,CLOSE t/d'
                    # Another client's empty key shows as a file.
                    mkdir $T/second/t/e; told 'CREATE t/e'
                    rm $T/second/t/d; told 'DELETE t/d'
                    nothing_else t/end
                    fusermount3 -u $T/second
                    """,
                prints: """
                    CLOSE_WRITE,CLOSE t/a
                    CLOSE_WRITE,CLOSE t/c
                    CREATE t/c
                    CREATE t/marker
                    DELETE t/b
                    MODIFY t/a
                    MODIFY t/c

                    """
            )
        }
    }

    /// One watch of the root, and one for each special path that is read: `@releaseDomain` always.
    @Test func theStoreHasOneWatchForAll() async throws {
        try await withMount(.embedded) { mount in
            try await mount.expect(
                Self.tools + """
                    for i in {1..50}; do echo /t/d$i/k $i; done | xargs xenstore-write
                    ls -lR t > $T/all
                    watch -r $M/t
                    exec 3<t/.watch 4<t/d1/k.watch 5<t/none.watch
                    xenstore-write /t/d7/k x; told 'MODIFY t/d7/k'
                    read -r line <&3; echo $line
                    watches() { sed -n 's/.*operation="WATCH"} //p' .xsfs/status; }
                    watches; exec 6<.xsfs/@introduceDomain; watches
                    """,
                prints: "/t/d7/k\n2\n3\n"
            )
        }
    }

    @Test(arguments: StoreKind.allVersions, ["strict", "watch"])
    func timesFollowWhatOthersChange(kind: StoreKind, cache: String) async throws {
        try await withMount(kind, MountSettings(options: "cache=\(cache)")) { mount in
            try await mount.expect(
                """
                xenstore-write /t/k 1 /t/d/x 1
                isOld() { [ "$(stat -c %Y t/k t/d | uniq)" = 1000 ]; }
                age() { until touch -d @1000 t/k t/d; isOld; do :; done; }
                isNew() { until [ $(stat -c %Y $1) -gt 1000 ]; do :; done; stat -c %n $1; }
                # An event of the making may come late.
                age
                xenstore-write /t/k 2; isNew t/k
                xenstore-write /t/d/y 1; isNew t/d
                age
                xenstore-rm /t/d/y; isNew t/d
                old=$(stat -c %z t/k)
                xenstore-chmod /t/k r0; until [ "$(stat -c %z t/k)" != "$old" ]; do :; done
                stat -c %Y t/k
                """,
                prints: "t/k\nt/d\nt/d\n1000\n"
            )
        }
    }

    /// A directory that is told of, and that nobody looks at: the kernel hears of nothing in it.
    @Test(arguments: [StoreKind.embedded, .xenstored])
    func whatNobodyCanWatchCostsNothing(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    known() { sed -n 's/^xsfs_keys_known //p' $M/.xsfs/status; }
                    xenstore-write /t/first 1
                    watch $M/t
                    xenstore-write /t/new/a 1; told 'CREATE,ISDIR t/new'
                    before=$(known)
                    for i in {1..50}; do echo /t/new/k$i $i; done | xargs xenstore-write
                    xenstore-write /t/end ''; told 'CREATE t/end'
                    echo $(($(known) - before))
                    # Who comes to look is told from then on.
                    kill $watcher; wait $watcher 2>/dev/null
                    watch $M/t/new
                    xenstore-write /t/new/k50 x
                    told 'MODIFY t/new/k50' 'CLOSE_WRITE,CLOSE t/new/k50'
                    xenstore-rm /t/new/k1; told 'DELETE t/new/k1'
                    xenstore-write /t/new/k51 ''; told 'CREATE t/new/k51'
                    nothing_else t/new/end
                    """,
                prints: "1\n"
            )
        }
    }

    @Test func nobodyIsToldWhoDoesNotWantIt() async throws {
        try await withMount(.served, MountSettings(options: "noinotify")) { mount in
            try await mount.expect(
                Self.tools + """
                    xenstore-write /t/key v
                    watch $M/t
                    xenstore-write /t/new x /t/key w; xenstore-rm /t/new; cat t/key
                    echo own >> t/key; told 'MODIFY t/key' 'CLOSE_WRITE,CLOSE t/key'
                    """,
                prints: "w\n"
            )
        }
    }

    @Test func whatChangedWithoutAConnectionIsTold() async throws {
        let settings = MountSettings(
            tolerated: ["lost the socket"],
            usesProxy: true
        )
        try await withMount(.xenstored, settings) { mount in
            try await mount.expect(
                Self.tools + """
                    export XENSTORED_PATH=$S
                    xenstore-write /t/key v /t/gone v /t/same v
                    watch $M/t
                    echo close > $T/proxy/fault; stat t/key 2>/dev/null
                    xenstore-write /t/key w /t/new n; xenstore-rm /t/gone
                    rm $T/proxy/fault; until stat t/key >/dev/null 2>&1; do :; done
                    until [ "$(grep -c '' $T/told)" -ge 6 ]; do sleep 0.01; done
                    sed "s| $M/| |" $T/told | sort
                    seen=$(grep -c '' $T/told); nothing_else t/end
                    """,
                prints: """
                    CLOSE_WRITE,CLOSE t/key
                    CLOSE_WRITE,CLOSE t/new
                    CREATE t/new
                    DELETE t/gone
                    MODIFY t/key
                    MODIFY t/new

                    """
            )
        }
    }

    /// What the kernel is told late must not take what a program has made since.
    @Test(arguments: StoreKind.allVersions)
    func aDirectoryThatIsMadeAgainStays(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("\"$TOOLS/remake\" \"$S\" 500", limit: patience * 3)
        }
    }

    /// The process that makes the kernel tell is killed again and again.
    @Test(arguments: [StoreKind.embedded, .xenstored])
    func theAgentIsReplaced(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    agents() { pgrep -x -P "$(pgrep -x -P \(mount.daemon.id) xsfs-guard)" xsfs-inotify; }
                    xenstore-write /t/key v
                    watch $M/t
                    for i in 1 2 3 4 5; do
                        old=$(agents)
                        for n in 1 2 3 4 5 6 7 8 9; do xenstore-write /t/key $i$n; done &
                        kill -KILL $old; wait $!
                        xenstore-write /t/new$i ''
                        until grep -q "CREATE $M/t/new$i" $T/told; do sleep 0.01; done
                        until [ -n "$(agents)" ] && [ "$(agents)" != "$old" ]; do sleep 0.01; done
                    done
                    grep -c CREATE $T/told
                    """,
                prints: "5\n"
            )
        }
    }

    @Test(arguments: [StoreKind.embedded, .xenstored])
    func unmountingWorksWhileThereAreChanges(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(mayBeKilled: true)) { mount in
            let storm = try await mount.shell.start(
                "cd /; while xenstore-write /t/a 1 /t/b/c 1; do xenstore-rm /t/b; done"
            )
            try await mount.expect(
                """
                until [ -d t/b ]; do :; done
                touch $T/told; inotifywait -q -m $M/t >$T/told & watcher=$!
                until [ "$(grep -c '' $T/told)" -gt 100 ]; do sleep 0.01; done
                cd / && kill $watcher && wait $watcher 2>/dev/null
                fusermount3 -u $M && ! grep -q " $M " /proc/self/mounts
                """
            )
            #expect(try await mount.daemon.wait() == .exited(0))
            storm.killGroup()
            _ = try await storm.wait()
        }
    }

    /// A thousand keys come and go while others look at their names all the time.
    @Test(arguments: StoreKind.allVersions)
    func noneIsMissingAndNoneInvented(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tools + """
                    xenstore-write /t/first 1
                    watch $M/t
                    touch $T/go
                    for i in 1 2; do
                        while [ -e $T/go ]; do
                            stat t/k{0..99} t/d{0..99}
                        done >/dev/null 2>&1 &
                    done
                    python3 -c '
                    import os, sys, time
                    sys.path.insert(0, os.environ["TOOLS"])
                    from xenstore import Store
                    def told(kind, count):
                        deadline = time.monotonic() + 40
                        while True:
                            with open(os.environ["T"] + "/told") as file:
                                lines = [line.split()[1] for line in file if line.startswith(kind)]
                            if len(lines) >= count or time.monotonic() > deadline: break
                            time.sleep(0.01)
                        if len(lines) != count or len(set(lines)) != 200:
                            print(kind, len(lines), "of", len(set(lines)), "and not", count)
                    store = Store(os.environ["S"])
                    for turn in range(1, 6):
                        for i in range(100):
                            store.write(f"/t/k{i}", i)
                            store.write(f"/t/d{i}/x", i)
                        told("CREATE", 200 * turn)
                        for i in range(100):
                            store.remove(f"/t/k{i}")
                            store.remove(f"/t/d{i}")
                        told("DELETE", 200 * turn)'
                    rm $T/go
                    seen=$(grep -c '' $T/told)
                    nothing_else t/end
                    """,
                limit: patience * 3
            )
        }
    }
}
