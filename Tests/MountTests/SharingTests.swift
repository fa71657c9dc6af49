import MountSupport
import Testing

/// Many at once: programs, mounts, and users.
struct SharingTests {
    @Test(arguments: StoreKind.allCases)
    func noAppendIsLost(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                for w in a b c d; do
                    (for i in $(seq 20); do echo $w$i >> log || exit; done) &
                done
                wait; sort log | uniq | wc -l; wc -l < log
                """,
                prints: "80\n80\n"
            )
        }
    }

    /// A directory that is made, or a file that is created exclusively, is a lock.
    @Test(arguments: StoreKind.remote, ["mkdir", "noclobber"])
    func locksHoldAcrossMounts(kind: StoreKind, lock: String) async throws {
        let take = lock == "mkdir" ? "mkdir lock" : "(set -C; echo $BASHPID > lock)"
        let drop = lock == "mkdir" ? "rmdir lock" : "rm lock"
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir $T/second && "$XSFS" --socket "$S" $T/second || exit
                echo 0 > $T/counter
                for place in $M $T/second $M $T/second; do
                    (cd $place && for i in $(seq 10); do
                        until \(take) 2>/dev/null; do :; done
                        n=$(cat $T/counter); echo $((n + 1)) > $T/counter
                        \(drop) || echo lost the lock
                    done) &
                done
                wait; cat $T/counter; fusermount3 -u $T/second
                """,
                prints: "40\n",
                limit: patience * 3
            )
        }
    }

    /// flock(2) and fcntl(2): the store knows nothing of them.
    @Test(arguments: StoreKind.allCases)
    func theKernelsLocksHoldOnOneMount(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir $T/second && "$XSFS" --socket "$S" $T/second && echo v >key || exit
                python3 - <<'END'
                import fcntl, os
                for lock in fcntl.flock, fcntl.lockf:
                    file = open("key", "r+")
                    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    child = os.fork()
                    if not child:
                        for place in "key", os.environ["T"] + "/second/key":
                            try: lock(open(place, "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)
                            except OSError as error: print(error.strerror, flush=True)
                            else: print("locked", flush=True)
                        os._exit(0)
                    os.waitpid(child, 0)
                    file.close()
                END
                fusermount3 -u $T/second
                """,
                prints: String(repeating: "Resource temporarily unavailable\nlocked\n", count: 2)
            )
        }
    }

    /// What another client makes at the moment of a removal is there afterwards, or was there
    /// before and kept the directory.
    @Test(arguments: StoreKind.allCases, ["rmdir", "rename"])
    func nothingIsLostToARemoval(kind: StoreKind, how: String) async throws {
        let take = how == "rmdir" ? "os.rmdir(directory)" : "os.rename(other, directory)"
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                cat > $T/race.py <<'END'
                import os, sys, threading
                sys.path.insert(0, os.environ["TOOLS"])
                from xenstore import Store
                store, errors = Store(os.environ["S"]), 0
                for number in range(200):
                    directory, other = f"d{number}", f"o{number}"
                    os.mkdir(directory)
                    os.mkdir(other)
                    writer = threading.Thread(
                        target=store.write, args=(f"/{directory}/child", number))
                    if number % 2:
                        writer.start()
                    try:
                        \(take)
                    except OSError as error:
                        errors += 1
                        if error.errno not in (39, 11):
                            print(number, error)
                    if not number % 2:
                        writer.start()
                    writer.join()
                    if store.read(f"/{directory}/child") != b"%d" % number:
                        print(number, "lost")
                if errors == 200:
                    print("nothing was ever removed")
                END
                python3 $T/race.py
                """,
                limit: patience * 3
            )
        }
    }

    /// Nobody but the mounting user reads anything, unless that was said.
    @Test func otherUsersAreKeptOut() async throws {
        let other = "setpriv --reuid 65534 --regid 65534 --clear-groups"
        for (options, isLetIn) in [
            (nil, false), ("allow_other", false), ("allow_other,umask=022", false),
            ("allow_other,uid=65534", true), ("allow_other,owner=domid", false),
        ] as [(String?, Bool)] {
            try await withMount(.served, MountSettings(options: options)) { mount in
                try await mount.expect(
                    "chmod 711 $T; xenstore-write /key v /open v; xenstore-chmod /open r0"
                )
                let command = "\(other) cat \(mount.point)/key"
                if isLetIn {
                    try await mount.expect(command, prints: "v\n")
                } else {
                    try await mount.expect(command, fails: "Permission denied")
                }
            }
        }
        try await withMount(.served, MountSettings(options: "allow_other,owner=domid")) { mount in
            try await mount.expect(
                "chmod 711 $T; xenstore-write /open v; xenstore-chmod /open r0; xenstore-chmod / r0"
            )
            try await mount.expect("\(other) cat \(mount.point)/open", prints: "v\n")
            try await mount.expect(
                "\(other) bash -c 'echo 1 > \(mount.point)/open'",
                fails: "Permission denied"
            )
        }
    }

    /// Whose a file and a directory are, and for whom: of domain 5, and readable to domain 6.
    @Test(
        arguments: [
            (nil, "5:0:640 5:0:750"), ("uid=7", "7:0:640 7:0:750"),
            ("uid=7,gid=8,umask=027", "7:8:640 7:8:750"), ("umask=077", "5:0:600 5:0:700"),
            ("gid=8,umask=0", "5:8:640 5:8:750"), ("allow_other", "0:0:600 0:0:700"),
            ("allow_other,uid=7,gid=8", "7:8:600 7:8:700"),
            ("allow_other,umask=0", "0:0:640 0:0:750"),
            ("allow_other,uid=7,umask=027", "7:0:640 7:0:750"),
            ("allow_other,owner=domid", "5:0:640 5:0:750"),
        ] as [(String?, String)]
    )
    func optionsSayWhoseFilesAre(options: String?, shown: String) async throws {
        try await withMount(.served, MountSettings(options: options)) { mount in
            try await mount.expect(
                """
                xenstore-write /file v /directory/x 1
                xenstore-chmod /file n5 r6 && xenstore-chmod /directory n5 r6
                stat -c %u:%g:%a file directory | xargs
                """,
                prints: shown + "\n"
            )
        }
    }

    /// What mount(8) runs for `mount -t xsfs` and for a line of fstab(5).
    @Test func theHelperOfMountPassesOn() async throws {
        try await withMount(.xenstored) { mount in
            try await mount.expect(
                """
                mkdir $T/second $T/bin && ln -s "$XSFS" $T/bin/xsfs && export PATH=$T/bin:$PATH
                helper=$REPOSITORY/mount-scripts/mount.xsfs
                sh "$helper" xenstore $T/second -o rw,nofail,_netdev,raw
                echo v > $T/second/key && cat key && fusermount3 -u $T/second
                sh "$helper" "$S" $T/second -o ro,nosuid
                cat $T/second/key && ! mkdir $T/second/d 2>/dev/null && fusermount3 -u $T/second
                sh "$helper" none $T/second -o nonsense 2>&1 |
                    grep -o nonsense; echo ${PIPESTATUS[0]}
                """,
                prints: "v\n\nv\n\nnonsense\n32\n"
            )
        }
    }
}
