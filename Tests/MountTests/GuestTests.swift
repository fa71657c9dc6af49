import Glibc
import MountSupport
import Testing

/// A mount in a guest: the store decides what it may, and its refusals come through.
struct GuestTests {
    @Test(arguments: [StoreKind.xenstored, .oxenstored])
    func theStoreDecides(kind: StoreKind) async throws {
        try await withMount(kind) { host in
            try await host.expect(
                """
                xenstore-write /local/domain/5/name guest /local/domain/5/data/x 0 \
                    /local/domain/6/name secret /local/domain/6/open open
                chown -R 5 local/domain/5/data; chmod 644 local/domain/6/open
                for key in local local/domain local/domain/5 local/domain/6; do chmod 755 $key; done
                setfattr -n user.xenstore.perms -v n0,r5 local/domain/5/name
                """
            )
            try await host.asGuest(5) { guest in
                try await guest.expect(
                    "cat local/domain/5/name local/domain/6/open",
                    prints: "guest\nopen\n"
                )
                try await guest.expect("ls local/domain", prints: "5\n6\n")
                try await guest.expect("ls local/domain/6", prints: "name\nopen\n")
                for command in [
                    "cat local/domain/6/name", "echo 1 > local/domain/6/open",
                    "echo 1 > local/domain/5/name", "mkdir local/domain/6/d",
                    "rm local/domain/6/open",
                ] {
                    try await guest.expect(command, fails: "Permission denied")
                }
                try await guest.expect(
                    "cd local/domain/5/data && echo 1 > a && mkdir b && mv a b/c"
                )
                try await guest.expect("cat local/domain/5/data/b/c", prints: "1\n")
                try await guest.expect(
                    "cd local/domain/5/data && chmod 644 b/c && stat -c %a:%u b/c",
                    prints: "644:5\n"
                )
                // The one daemon says "Permission denied", the other "Operation not permitted".
                for command in [
                    "mv local/domain/6/open local/domain/5/data/y",
                    "chown 6 local/domain/5/data/b/c",
                ] {
                    try await guest.expect(command, fails: "ermi")
                }
            }
            try await host.expect(
                "cat local/domain/5/data/b/c local/domain/6/name",
                prints: "1\nsecret\n"
            )
            try await host.expectSameAsStore()
        }
    }

    /// A subtree that takes more than the guest may have while it is copied stays where it was.
    @Test(arguments: [StoreKind.xenstored, .oxenstored])
    func aRenameBeyondTheQuotaChangesNothing(kind: StoreKind) async throws {
        try await withMount(kind) { host in
            try await host.expect(
                """
                xenstore-write /local/domain/5/data ''; chown 5 local/domain/5/data
                for key in local local/domain local/domain/5; do chmod 755 $key; done
                """
            )
            try await host.asGuest(5) { guest in
                try await host.expect(
                    "\"$TOOLS/populate\" \"$S\" tree /local/domain/5/data/tree 8"
                )
                try await host.expect(
                    "xenstore-ls -fp > $T/before; grep -c tree/ $T/before",
                    prints: "800\n"
                )
                try await guest.expect(
                    "cd local/domain/5/data && mv tree moved",
                    fails: kind == .xenstored ? "No space left on device" : "Disk quota exceeded"
                )
                try await host.expect("xenstore-ls -fp | diff $T/before -")
                try await guest.expect(
                    "cd local/domain/5/data && mv tree/00001 moved && ls | xargs",
                    prints: "moved tree\n"
                )
            }
        }
    }
}
