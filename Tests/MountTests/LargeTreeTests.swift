import MountSupport
import Testing

/// Stores as large as those of a busy host.
struct LargeTreeTests {
    /// Key by key, and with the tools that a user has.
    @Test(arguments: StoreKind.allCases)
    func theKeysOfGuestsAreComplete(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(domains: 1...20)) { mount in
            try await mount.expect("\"$TOOLS/populate\" \"$S\" domains 20", limit: patience * 3)
            try await mount.expectSameAsStore()
            try await mount.expect(
                """
                xenstore-ls -f | cut -d ' ' -f 1 | sort > $T/listing
                find . -mindepth 1 ! -name .value | cut -c 2- | sort | diff - $T/listing
                ls -lR | awk '$1 ~ /^[-d]/ && $9 != ".value"' | wc -l > $T/count
                wc -l < $T/listing | diff - $T/count
                """,
                limit: patience * 3
            )
            // All but the guests' empty `data`, which are directories.
            try await mount.expect("find local -type f | wc -l", prints: "1540\n")
            try await mount.expect("grep -rlx connected . | wc -l", prints: "80\n")
            try await mount.expect("cat local/domain/*/name | sort -u | wc -l", prints: "20\n")
            try await mount.expect(
                """
                getfattr -Rd -m user.xenstore.perms local/domain/20/device | grep -c '"n0,r20"'
                """,
                prints: "28\n"
            )
        }
    }

    @Test func theStoreOfTwoHundredGuestsIsComplete() async throws {
        try await withMount(.xenstored, MountSettings(domains: 1...200)) { mount in
            try await mount.expect("\"$TOOLS/populate\" \"$S\" domains 200", limit: patience * 3)
            try await mount.expectSameAsStore()
            try await mount.expect("find local -type f | wc -l", prints: "15400\n")
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aDirectoryOfThreeThousandChildrenIsComplete(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                "\"$TOOLS/populate\" \"$S\" children /t/big 3000",
                limit: patience * 3
            )
            try await mount.expect(
                "seq -f 'key-%05.0f' 0 2999 > $T/names && ls t/big | diff - $T/names"
            )
            try await mount.expect(
                "seq -f 'value %.0f' 0 2999 > $T/values && cat t/big/* | diff - $T/values"
            )
            try await mount.expect(
                "ls -l t/big | awk 'NF > 2 {bytes += $5} END {print NR, bytes}'",
                prints: "3001 31890\n"
            )
            try await mount.expect(
                "grep -r 'value 2999$' t",
                prints: "t/big/key-02999:value 2999\n"
            )
            // What libxenstore cannot list on oxenstored: a reply beyond the protocol's limit.
            if !kind.isOxenstored { try await mount.expectSameAsStore() }
            try await mount.expect("echo new > t/big/aaa && ls t/big | wc -l", prints: "3001\n")
            try await mount.expect("mv t/big t/moved && ls t/moved | wc -l", prints: "3001\n")
        }
    }
}
