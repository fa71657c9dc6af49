import FilesystemScenarios
import MountSupport
import Testing
import XenstoreClient
import XenstoreFilesystem
import XenstoreProtocol

/// Keys as files and as directories.
struct ShapeTests {
    @Test(arguments: StoreKind.allCases)
    func theValueOfADirectoryIsAFileInIt(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("xenstore-write /t/d own /t/d/child 1 /t/e/child 2")
            try await mount.expect("ls -A t/d t/e", prints: "t/d:\n.value\nchild\n\nt/e:\nchild\n")
            try await mount.expect(
                "cat t/d/.value t/d.value; wc -c < t/e/.value",
                prints: "own\nown\n0\n"
            )
            try await mount.expect(
                "echo new > t/e/.value && ls -A t/e && xenstore-read /t/e",
                prints: ".value\nchild\nnew\n"
            )
            try await mount.expect("echo 3 > t/e.value; cat t/e/.value", prints: "3\n")
            try await mount.expect("rm t/e/.value; ls -A t/e; cat t/e/.value", prints: "child\n")
            try await mount.expect("rm t/d.value; ls -A t/d", prints: "child\n")
            try await mount.expect("rmdir t/e", fails: "Directory not empty")
            try await mount.expectSameAsStore()
            // A value keeps a directory from being removed.
            try await mount.expect("echo 1 > t/d/.value; rmdir t/d", fails: "not empty")
            try await mount.expect("rm -r t/d t/e; ls t")
        }
    }

    /// The inotify agent holds the directory's lock meanwhile, and with it the invalidation that
    /// makes the kernel look the name up again.
    @Test(arguments: StoreKind.allCases)
    func aKeyThatIsMadeAgainHasItsNewShapeAtOnce(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            let store: any XenstoreAccess = try await SharedConnection(to: .socket(mount.socket))
            let surface = MountedSurface(store: store, mountpoint: mount.point)
            for round in 0..<150 {
                try await surface.makeDirectory("/t")
                try await surface.put("", at: "/t/k")
                let shape = try await surface.status("/t/k").kind
                try #require(shape == .file, "in round \(round)")
                try await surface.put("1", at: "/t/k/child")
                try await eventually("/t/k is a directory") {
                    try await surface.status("/t/k").kind == .directory
                }
                try await store.remove(surface.key("/t"))
            }
        }
    }

    /// The kernel knows a directory by one name, and cannot give it another in the middle of a
    /// renaming.
    @Test(arguments: StoreKind.allCases)
    func theChildrenOfARenamedFileAreAtItsNewName(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect("mkdir t t/old t/new; echo 1 > t/old/k; echo 2 > t/other")
            try await mount.expect(
                """
                ls t/old/k.dir && mv t/old/k t/new
                python3 -c '
                import errno, os, time
                end = time.monotonic() + 5
                while True:
                    try:
                        os.rename("t/other", "t/new/k.dir")
                    except OSError as error:
                        if error.errno != errno.ESTALE or time.monotonic() > end:
                            print(error.strerror)
                            break
                '
                """,
                prints: "Is a directory\n"
            )
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aKeyIsReachedInEitherShape(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                "xenstore-write /t/data '' && stat -c %F t/data",
                prints: "regular empty file\n"
            )
            try await mount.expect(
                // The kernel takes it for a file until the event of the change has come.
                """
                ls -A t/data.dir && echo 1 > t/data.dir/updated
                until cat t/data/updated 2>/dev/null; do :; done
                """,
                prints: "1\n"
            )
            try await mount.expect(
                "stat -c %F t/data t/data.value t/data.dir",
                prints: "directory\nregular empty file\ndirectory\n"
            )
            try await mount.expect("ls -A t t/data", prints: "t:\ndata\n\nt/data:\nupdated\n")
            try await mount.expect("echo 2 > t/new.value && xenstore-read /t/new", prints: "2\n")
            try await mount.expect(
                "mkdir t/made.dir && echo 3 > t/made/x && xenstore-read /t/made/x",
                prints: "3\n"
            )
            try await mount.expect("cat t/none.value", fails: "No such file")
            try await mount.expect("ls t/none.dir", fails: "No such file")
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func anEmptyKeyIsAFileUnlessItWasMadeADirectory(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                "xenstore-write /t/a '' && mkdir t/b && stat -c %F t/a t/b",
                prints: "regular empty file\ndirectory\n"
            )
            // Seen as a directory, it stays one.
            try await mount.expect(
                "xenstore-write /t/c/x 1 && ls t/c && rm t/c/x && stat -c %F t/c",
                prints: "x\ndirectory\n"
            )
            // Removed, it is nothing any more.
            try await mount.expect(
                "rmdir t/b; xenstore-write /t/b '' && stat -c %F t/b",
                prints: "regular empty file\n"
            )
        }
        try await withMount(kind, MountSettings(options: "empty=dir")) { mount in
            try await mount.expect(
                "xenstore-write /t/a '' && stat -c %F t/a",
                prints: "directory\n"
            )
            try await mount.expect("ls -A t/a && echo 1 > t/a/x && cat t/a/x", prints: "1\n")
        }
    }

    /// What libxl and xenopsd make empty in a new domain, and what stands below it.
    @Test(arguments: StoreKind.allCases)
    func whatXenKeepsChildrenInIsADirectory(kind: StoreKind) async throws {
        let directories = """
            libxl libxl/7 libxl/7/device libxl/7/device/vif libxl/7/device/vif/0
            local/domain/7/attr local/domain/7/attr/vif/0/ipv4 local/domain/7/backend
            local/domain/7/backend/vif local/domain/7/backend/vif/9/0 local/domain/7/control
            local/domain/7/cpu local/domain/7/data local/domain/7/device
            local/domain/7/device-model local/domain/7/device-model/9/backends/qdisk
            local/domain/7/device/vbd local/domain/7/device/vif local/domain/7/device/vif/0
            local/domain/7/device/suspend local/domain/7/drivers local/domain/7/error
            local/domain/7/feature local/domain/7/hvmloader local/domain/7/libxl
            local/domain/7/memory local/domain/8 local/pool/0 vm vm/1a-2b
            """
        let files = """
            local/domain/7/control/feature-poweroff local/domain/7/control/feature-reboot
            local/domain/7/control/feature-s3 local/domain/7/control/feature-s4
            local/domain/7/control/feature-suspend local/domain/7/control/laptop-slate-mode
            local/domain/7/control/shutdown local/domain/7/control/sysrq
            local/domain/7/data/free local/domain/7/device/suspend/event-channel
            local/domain/7/device/vif/0/state local/domain/7/drivers/0 local/domain/7/free
            local/domain/7/name local/free tool/free free
            """
        let listing = """
            find free libxl local/free local/pool/0 local/domain/[78] tool/free vm
            """
        for (options, filesToo, inDirectories) in [
            (nil, "f", "d"), ("cache=watch", "f", "d"), ("empty=file", "f", "f"),
            ("empty=dir", "d", "d"),
        ] as [(String?, String, String)] {
            try await withMount(kind, MountSettings(options: options)) { mount in
                try await mount.expect(
                    """
                    directories="\(directories)" files="\(files)"
                    for key in $directories $files; do xenstore-write /$key ''; done
                    # As a listing says, and as stat(1) does.
                    \(listing) -printf '%y %p\n' | sort > $T/listed
                    \(listing) | xargs -d '\n' stat -c '%F %n' |
                        sed 's/^directory/d/; s/^regular empty file/f/' | sort | diff $T/listed -
                    empty() { for key; do xenstore-list /$key | grep -q . || echo $key; done; }
                    types() { for key; do grep " $key$" $T/listed; done | cut -c1 | uniq; }
                    types $(empty $directories); types $files
                    """,
                    prints: "\(inDirectories)\n\(filesToo)\n"
                )
            }
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aNewGuestsDirectoriesCanBeFilled(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                for key in data device drivers control/shutdown; do
                    xenstore-write /local/domain/7/$key ''
                done
                cd local/domain/7 && echo blue > data/colour && mkdir -p device/vif/0
                echo poweroff > control/shutdown && cat control/shutdown data/colour
                xenstore-list /local/domain/7/device/vif
                # One that is moved stays what it is.
                mv drivers old && mv old data/drivers && stat -c %F data/drivers
                mkdir data/d && mv data/d device/vif/0/state && stat -c %F device/vif/0/state
                echo v > data/f && : > data/f && mv data/f device/f && stat -c %F device/f
                """,
                prints: """
                    poweroff
                    blue
                    0
                    directory
                    directory
                    regular empty file

                    """
            )
            // With a value it is a file, and stays one, as any key.
            try await mount.expect(
                """
                xenstore-write /local/domain/7/error oops
                cat local/domain/7/error && xenstore-write /local/domain/7/error ''
                stat -c %F local/domain/7/error local/domain/7/error.dir
                """,
                prints: "oops\nregular empty file\ndirectory\n"
            )
            try await mount.expectSameAsStore()
        }
    }

    /// Where a key stands is known by its path in the store, whatever the mount shows.
    @Test(arguments: StoreKind.remote)
    func thePlaceIsThatInTheStore(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                for key in data free device; do xenstore-write /local/domain/7/$key ''; done
                mkdir $T/second && "$XSFS" --socket "$S" -o subtree=/local/domain/7 $T/second
                stat -c '%F %n' $T/second/* | sed "s|$T/second/||"
                echo blue > $T/second/data/colour; mkdir -p $T/second/device/vif/0
                fusermount3 -u $T/second; mkdir -p data device/vif; xenstore-write /device/vif/x ''
                xenstore-read /local/domain/7/data/colour; stat -c %F device/vif/x
                """,
                prints: """
                    directory data
                    directory device
                    regular empty file free
                    blue
                    regular empty file

                    """
            )
        }
    }
}
