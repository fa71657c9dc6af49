import Glibc
import MountSupport
import Testing

/// What programs make of times.
struct TimeTests {
    private static let modes = [
        "cache=strict", "cache=watch", "noinotify", "cache=watch,noinotify",
    ]

    @Test(arguments: StoreKind.allCases)
    func copiesKeepTheTimeOfTheValue(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir $T/src $T/src/d; echo 1 >$T/src/a; echo 2 >$T/src/d/b
                chmod 600 $T/src/a $T/src/d/b; chmod 700 $T/src $T/src/d
                touch -d @1000 $T/src/a $T/src/d/b; touch -d @2000 $T/src/d $T/src
                times() { (cd $1 && stat -c '%n %Y' . a d d/b); }
                times $T/src >$T/times
                cp -a $T/src cp && times cp | diff $T/times -
                tar -C $T -cpf $T/tar src && mkdir tar && tar -C tar -xpf $T/tar
                times tar/src | diff $T/times -
                rsync -a $T/src/ rsync/ && times rsync | diff $T/times -
                mkdir install && install -p -m 600 $T/src/a install/a && stat -c %Y install/a
                mv rsync/a rsync/d/moved && stat -c %Y rsync/d/moved
                setfacl -m u:7:r cp/a 2>$T/says || cat $T/says; stat -c %Y cp/a
                # By the events of all this, none of them moves.
                xenstore-write /marker 1; stat marker >/dev/null; times cp | diff $T/times -
                """,
                prints: "1000\n1000\n1000\n"
            )
        }
    }

    /// The second run writes nothing: no watch fires.
    @Test(arguments: StoreKind.remote, Self.modes)
    func rsyncSettles(kind: StoreKind, options: String) async throws {
        let settings = MountSettings(options: options, usesProxy: true)
        try await withMount(kind, settings) { mount in
            try await mount.expect(
                """
                mkdir $T/src $T/src/d; echo 1 >$T/src/state; echo 2 >$T/src/d/x
                chmod 600 $T/src/state; chmod 644 $T/src/d/x; chmod 700 $T/src $T/src/d
                touch -d '2 days ago' $T/src/* $T/src/d/x $T/src
                changes() { grep -cE '^(WRITE|MKDIR|RM|SET_PERMS)' $T/proxy/requests; }
                mkdir conf; rsync -a $T/src/ conf/
                before=$(changes)
                rsync -ai $T/src/ conf/; rsync -ai $T/src/ conf/
                # What others write comes back, and nothing else.
                xenstore-write /conf/d/x 3; until [ "$(cat conf/d/x)" = 3 ]; do :; done
                rsync -ai $T/src/ conf/ | cut -c 1-4,12-; cat conf/d/x
                echo $(($(changes) - before))
                \(Self.forgetAll)
                before=$(changes); rsync -ai $T/src/ conf/; echo $(($(changes) - before))
                """,
                prints: ">f.. d/x\n2\n1\n0\n"
            )
        }
    }

    /// The kernel's memory runs out, as far as this mount is concerned.
    private static let forgetAll = """
        known() { sed -n 's/^xsfs_keys_known //p' $M/.xsfs/status; }
        full=$(known); echo 2 >/proc/sys/vm/drop_caches
        # Other tests may have been quicker.
        for i in {1..500}; do [ "$(known)" -lt "$full" ] || [ "$full" = 1 ] && break; sleep 0.01; done
        [ "$i" -lt 500 ] || echo "the kernel forgets nothing: $full"
        """

    @Test(arguments: StoreKind.allCases, Self.modes)
    func makeRebuildsWhatOthersChange(kind: StoreKind, options: String) async throws {
        try await withMount(kind, MountSettings(options: options)) { mount in
            try await mount.expect(
                """
                xenstore-write /t/in 1
                printf '%s\\n' 'out: '$M/t/in '\tcp $< $@; cat $@' >$T/Makefile
                build() { make -s -C $T out | grep -v 'Nothing to be done\\|up to date' || true; }
                stat t/in >/dev/null; build; build
                xenstore-write /t/in 2; until [ "$(cat t/in)" = 2 ]; do :; done; build; build
                \(Self.forgetAll)
                xenstore-write /t/in 3; until [ "$(cat t/in)" = 3 ]; do :; done; build; build
                echo 4 >t/in; build; build
                """,
                prints: "1\n2\n3\n4\n"
            )
        }
    }

    /// It compares the time that it knows with that of the file.
    @Test(arguments: [StoreKind.embedded, .xenstored], Self.modes)
    func vimSeesWhatOthersWrite(kind: StoreKind, options: String) async throws {
        try await withMount(kind, MountSettings(options: options)) { mount in
            try await mount.expect(
                """
                xenstore-write /t/key old /t/d own /t/d/x 1
                cat t/key t/d/.value >/dev/null
                # Nobody else has written: it saves, a value of a directory too, again and again.
                for file in t/key t/d/.value; do
                    vim -es -u NONE -c 's/$/a/' -c w -c 's/$/b/' -c 'silent !echo 1 >t/d/y' -c w \\
                        -c q $file || echo "vim: $?"
                    cat $file
                done
                # It says so, and does not write.
                vim -es -u NONE -c 's/$/mine/' -c 'silent !xenstore-write /t/key theirs' -c w -c 'q!' \\
                    t/key >$T/says 2>&1 </dev/null
                cat t/key
                """,
                prints: "oldab\nownab\ntheirs\n"
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aListOfTimesAndNumbersSurvivesTheKernel(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                xenstore-write /t/a 1 /t/d/x 1
                touch -d @1000 t/a; touch -d @2000 t/d; mkdir t/empty
                list() { (cd $M/t && stat -c '%n %i %Y %Z %F' a d d/x empty); }
                list >$T/before
                \(Self.forgetAll)
                list | diff $T/before - && cut -d ' ' -f 1,3 $T/before | head -2
                rm t/a; echo 1 >t/a
                [ "$(stat -c %i t/a)" = "$(sed -n 's/^a \\([0-9]*\\) .*/\\1/p' $T/before)" ] &&
                    echo 'another file has its number'
                true
                """,
                prints: "a 1000\nd 2000\n"
            )
        }
    }

    /// tar(1) complains of a directory that changes while it reads it.
    @Test(arguments: StoreKind.allCases, ["strict", "watch"])
    func aDirectoryStandsStillWhileValuesChange(kind: StoreKind, cache: String) async throws {
        try await withMount(kind, MountSettings(options: "cache=\(cache)")) { mount in
            try await mount.expect(
                """
                xenstore-write /t/d/a 1 /t/d/b 1 /t/d own
                stat -c '%y %z' t t/d >$T/before
                for i in {1..20}; do
                    xenstore-write /t/d/a $i /t/d $i; echo $i >t/d/b; echo $i >t/d/.value
                    stat -c '%y %z' t t/d | diff $T/before - || exit
                done
                until [ "$(cat t/d/a)" = 20 ]; do :; done
                stat -c '%y %z' t t/d | diff $T/before -
                echo 1 >t/d/new; stat -c '%y %z' t/d | diff -q <(tail -1 $T/before) - >/dev/null
                echo $?
                """,
                prints: "1\n"
            )
        }
    }
}
