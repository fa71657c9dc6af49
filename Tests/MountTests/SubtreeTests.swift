import MountSupport
import Testing

/// A part of the store as the root of a mount.
struct SubtreeTests {
    @Test(arguments: StoreKind.remote)
    func aPartIsTheWholeMount(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                xenstore-write /local/domain/5/name five /local/domain/5/data/x 1 /local/domain/6/y 2
                mkdir $T/part; $XSFS --socket $XENSTORED_PATH -o subtree=/local/domain/5 $T/part
                cd $T/part; ls; cat name data/x
                echo 3 > data/z; xenstore-read /local/domain/5/data/z
                xenstore-write /local/domain/5/name renamed; cat name
                mv data moved; xenstore-list /local/domain/5 | sort
                echo own > .value; xenstore-read /local/domain/5
                cd /; fusermount3 -u $T/part
                """,
                prints: "data\nname\nfive\n1\n3\nrenamed\nmoved\nname\nown\n"
            )
        }
    }

    @Test(arguments: StoreKind.remote)
    func theKeyGoesAndComesBack(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                xenstore-write /local/domain/5/name five
                mkdir $T/part; $XSFS --socket $XENSTORED_PATH -o subtree=/local/domain/5 $T/part
                cat $T/part/name
                xenstore-rm /local/domain
                ls $T/part 2>&1 | sed 's/.*: //'; cat $T/part/name 2>&1 | sed 's/.*: //'
                xenstore-write /local/domain/5/name back; cat $T/part/name; ls $T/part
                fusermount3 -u $T/part
                """,
                prints: "five\nNo such file or directory\nNo such file or directory\nback\nname\n"
            )
        }
    }

    @Test(arguments: StoreKind.remote)
    func aRelativePathIsOfTheOwnDomain(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir $T/part
                for path in . device ./ /local/domain/0/device/; do
                    xenstore-write /local/domain/0/domid 0 /local/domain/0/device/vbd/1 a
                    $XSFS --socket $XENSTORED_PATH -o subtree=$path $T/part && ls $T/part
                    fusermount3 -u $T/part
                done
                """,
                prints: "device\ndomid\nvbd\ndevice\ndomid\nvbd\n"
            )
            for path in ["/none", "a.b", "/a//b", "none", "//", ""] {
                try await mount.expect(
                    "$XSFS --socket $XENSTORED_PATH -o subtree=\(path) $T/part",
                    fails: "xsfs: "
                )
            }
        }
    }
}
