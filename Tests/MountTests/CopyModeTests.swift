import MountSupport
import Testing

/// Programs that give what they write a mode: whatever a key can have of it, the value arrives.
struct CopyModeTests {
    /// What a program does with the file `$F` of the mode `$MODE`, to make the key `$D/f` of it.
    private struct Program: Sendable {
        let name: String
        let command: String
        /// Its status where the mode is refused, and a word of what it says then.
        var refusal = (status: 0, word: "")
        /// The permissions of the key where the last mode was refused: its directory's, or others
        /// that it has set before.
        var refused = "n0"
        /// The permissions of the key where it sets no mode.
        var inherited: String?
        /// Whether it sets no mode that has nothing for group and others, as open(2) was given it.
        var trustsOpening = false

        func isRefused(_ mode: String) -> Bool {
            inherited == nil && !(trustsOpening && mode.hasSuffix("00"))
        }
    }

    /// Each mode, and the permissions of a new key that is given it; nil where it is refused.
    private static let modes: [(mode: String, permissions: String?)] = [
        ("0600", "n0"), ("0640", "n0"), ("0644", "r0"), ("0664", "r0"), ("0744", "r0"),
        ("0755", "r0"), ("0444", nil), ("0400", nil),
    ]

    private static let programs = [
        Program(name: "cp -a", command: "cp -a $F $D", refusal: (1, "preserving permissions")),
        Program(name: "cp -p", command: "cp -p $F $D", refusal: (1, "preserving permissions")),
        Program(
            name: "cp -p of coreutils 9.7",
            command: "\"$TOOLS/copy-as\" cp-9.7 $F $D/f",
            refusal: (1, "not permitted")
        ),
        Program(
            name: "install",
            command: "install -m $MODE $F $D",
            refusal: (1, "cannot change permissions")
        ),
        Program(
            name: "rsync -a, twice",
            command: "rsync -a $F $D/ && rsync -a $F $D/",
            refusal: (23, "set permissions")
        ),
        Program(
            name: "tar -xp",
            command: "tar -C $T -cf $T/tar f && tar -C $D -xpf $T/tar",
            refusal: (2, "Cannot change mode"),
            trustsOpening: true
        ),
        Program(
            name: "unzip",
            command: "\"$TOOLS/copy-as\" zip $F $T/zip && unzip -q $T/zip -d $D",
            refusal: (0, "fchmod")
        ),
        Program(
            name: "git checkout",
            command: """
                cd $T/git && rm -f f && cp -p $F . && git add f &&
                git -c user.name=a -c user.email=b commit -qm m && git --work-tree=$D checkout -fq
                """,
            inherited: "n0"
        ),
        Program(
            name: "ansible",
            command: "cat $F > $T/made && \"$TOOLS/copy-as\" ansible $T/made $D/f $MODE",
            refusal: (1, "not permitted"),
            refused: "r0"
        ),
        Program(
            name: "shutil.copy",
            command: "python3 -c 'import shutil, sys; shutil.copy(*sys.argv[1:])' $F $D",
            refusal: (1, "not permitted")
        ),
        Program(
            name: "shutil.copy2",
            command: "python3 -c 'import shutil, sys; shutil.copy2(*sys.argv[1:])' $F $D",
            refusal: (1, "not permitted")
        ),
    ]

    @Test(arguments: StoreKind.allCases)
    func noModeCostsTheValue(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir $T/git && cd $T/git && git init -q")
            for program in Self.programs {
                let lines = Self.modes.map { mode, permissions in
                    let isRefused = permissions == nil && program.isRefused(mode)
                    let (status, word) = isRefused ? program.refusal : (0, "")
                    let shown = program.inherited ?? permissions ?? program.refused
                    return "\(mode): \(status) \(word), \(mode) \(shown)\n"
                }
                try await mount.expect(
                    """
                    export F=$T/f D=$M/new; umask 022; mkdir new
                    for MODE in \(Self.modes.map(\.mode).joined(separator: " ")); do
                        export MODE
                        rm -f $F new/f; echo $MODE > $F; chmod $MODE $F
                        (\(program.command)) 2> $T/errors; status=$?
                        if [ -s $T/errors ]; then
                            said=$(grep -o '\(program.refusal.word)' $T/errors || cat $T/errors)
                        else
                            said=
                        fi
                        shown=$(getfattr --only-values -n user.xenstore.perms new/f)
                        echo "$MODE: $status $said, $(cat new/f) $shown"
                    done
                    rm -r new
                    """,
                    prints: lines.joined()
                )
            }
            try await mount.expectSameAsStore()
        }
    }

    /// tar(1) sets only what open(2) was not given: for root, or with another option, all of it.
    @Test(arguments: StoreKind.allCases)
    func tarTrustsTheModeThatItOpensWith(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                umask 022; mkdir t; setfattr -n user.xenstore.perms -v r0 t
                for arguments in "0400 -xpf" "0600 -xf" "0640 -xpf" "0640 --no-same-owner -xpf"; do
                    set -- $arguments; mode=$1; shift
                    rm -f $T/f t/f; echo $mode > $T/f; chmod $mode $T/f
                    tar -C $T -cf $T/tar f && tar -C t "$@" $T/tar
                    getfattr --only-values -n user.xenstore.perms t/f; echo " $(cat t/f)"
                done
                """,
                prints: "r0 0400\nr0 0600\nn0 0640\nr0 0640\n"
            )
        }
    }

    /// Programs that give the new file what they have read of the old one, or another mode.
    @Test(arguments: StoreKind.allCases)
    func aReplacedKeyIsOpenToNobodyElse(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("umask 022; mkdir t; echo new > $T/new")
            for (command, permissions) in [
                // The old mode, and so the old permissions.
                ("sed -i s/.*/new/ t/k", "n0,r5,b6"), ("perl -i -pe s/.*/new/ t/k", "n0,r5,b6"),
                ("rsync $T/new t/k", "n0,r5,b6"), ("cp $T/new t/k", "n0,r5,b6"),
                (
                    "vim -u NONE -c '%s/.*/new/' -c wq t/k < /dev/null > /dev/null 2>&1",
                    "n0,r5,b6"
                ),
                ("cp $T/new $T/x; \"$TOOLS/copy-as\" ansible $T/x t/k 0660", "n0,r5,b6"),
                // Another: more is taken, and less takes from the entries.
                ("chmod 664 $T/new; rsync -a $T/new t/k", "r0,r5,b6"),
                ("chmod 640 $T/new; rsync -a $T/new t/k", "n0,r5,r6"),
                ("chmod 644 $T/new; rsync -a $T/new t/k", "r0,r5,r6"),
                ("chmod 600 $T/new; rsync -a $T/new t/k", "n0,n5,n6"),
                // No list comes along, so there is none.
                ("cp --remove-destination -p $T/new t/k", "n0"),
                ("install -m 640 $T/new t/k", "n0"),
            ] {
                try await mount.expect(
                    """
                    xenstore-write /t/k older && xenstore-chmod /t/k n0 r5 b6
                    \(command) && cat t/k && getfattr --only-values -n user.xenstore.perms t/k
                    chmod 600 $T/new
                    """,
                    prints: "new\n\(permissions)"
                )
            }
            try await mount.expect("ls -A t", prints: "k\n")
            try await mount.expectSameAsStore()
        }
    }

    /// C xenstored takes no owner that does not exist: said at chown(2), it costs no value.
    @Test(arguments: StoreKind.allCases)
    func noOwnerCostsTheValue(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t; echo old > t/k; echo new > t/.s
                for change in 'chown 1000' 'setfattr -n user.xenstore.perms -v n1000'; do
                    chown 0 t/.s; echo old > t/k
                    $change t/k 2> $T/key; ofKey=$?; chown 0 t/k
                    $change t/.s 2> $T/scratch; [ $? = $ofKey ] || echo "$change: not $ofKey"
                    mv t/.s t/k && cat t/k; echo new > t/.s
                done
                echo newer > $T/k; chown 1000:0 $T/k; rsync -a $T/k t/ 2> $T/errors; cat t/k
                """,
                prints: "new\nnew\nnewer\n"
            )
        }
    }

    /// It would take the key out of the store for a while, and for good if it were killed then.
    @Test(arguments: StoreKind.allCases)
    func aKeyIsNotPutAsideAsABackup(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir t; echo old > t/k")
            try await mount.expect(
                """
                python3 -c '
                import fileinput
                for line in fileinput.input("t/k", inplace=True):
                    print("new")
                '
                """,
                fails: "Operation not permitted: 't/k' -> 't/k.bak'"
            )
            try await mount.expect("sed -i.bak s/old/new/ t/k", fails: "Operation not permitted")
            try await mount.expect("cat t/k; ls -A t", prints: "old\nk\n")
        }
    }

    /// rsync gathers the new files in a directory beside the old ones, and renames all at the end.
    @Test(arguments: StoreKind.allCases, [nil, "cache=watch"])
    func delayedUpdatesArrive(kind: StoreKind, options: String?) async throws {
        try await withMount(kind, MountSettings(options: options)) { mount in
            try await mount.expect(
                """
                xenstore-write /t/k old /t/kept 1 /t/d/x old; xenstore-chmod /t/k n0 r5
                mkdir $T/new $T/new/d; echo newer > $T/new/k; echo newest > $T/new/d/x
                echo more > $T/new/d/more; chmod 640 $T/new/k; chmod 664 $T/new/d/x
                rsync -a --delay-updates $T/new/ t/ && rsync -a --delay-updates $T/new/ t/
                cat t/k t/kept t/d/x t/d/more; ls -A t t/d
                getfattr --only-values -n user.xenstore.perms t/k t/d/x
                """,
                prints: """
                    newer
                    1
                    newest
                    more
                    t:
                    d
                    k
                    kept

                    t/d:
                    more
                    x
                    n0,r5r0
                    """
            )
            try await mount.expectSameAsStore()
        }
    }

    /// What rsync makes for that, and nothing else that is no key, is a directory.
    @Test(arguments: StoreKind.allCases)
    func onlyTheDirectoryOfDelayedUpdatesIsNoKey(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t t/.~tmp~; echo 1 > t/.~tmp~/key; echo 2 > t/.~tmp~/a.b; echo 3 > t/k
                stat -c '%A %F' t/.~tmp~; ls -A t t/.~tmp~; cat t/.~tmp~/*; [ -w t/.~tmp~ ]
                xenstore-list /t; touch -d @7 t/.~tmp~; stat -c %Y t/.~tmp~; chmod 700 t/.~tmp~
                mv t/.~tmp~/key t/key; mv t/.~tmp~/a.b t/k; cat t/key t/k; ls -A t/.~tmp~
                mkdir t/.~tmp~ 2>&1 | grep -o exists; rmdir t/.~tmp~; ls -A t
                """,
                prints: """
                    drwx------ directory
                    t:
                    .~tmp~
                    k

                    t/.~tmp~:
                    a.b
                    key
                    2
                    1
                    k
                    7
                    1
                    2
                    exists
                    k
                    key

                    """
            )
            try await mount.expect("mkdir t/.~tmp~ && echo 1 > t/.~tmp~/x")
            for (command, reason) in [
                ("rmdir t/.~tmp~", "not empty"), ("rm t/.~tmp~", "Is a directory"),
                ("mkdir t/.~tmp~/d", "not permitted"), ("mv t/k t/.~tmp~/k", "not permitted"),
                ("mv t/.~tmp~ t/new", "not permitted"), ("chmod 755 t/.~tmp~", "not permitted"),
                ("cat t/.~tmp~/none", "No such file"), ("mkdir t/d.new", "not permitted"),
            ] {
                try await mount.expect(command, fails: reason)
            }
            // It goes along with its directory, and goes with it.
            try await mount.expect(
                """
                mv t u && cat u/.~tmp~/x && cd u/.~tmp~ && xenstore-rm /u
                until ! [ -e $M/u ]; do :; done
                cd $M && mkdir t t/.~tmp~ && rm -r t && ! [ -e t ]
                """,
                prints: "1\n"
            )
        }
    }
}
