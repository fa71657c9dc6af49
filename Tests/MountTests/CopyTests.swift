import Glibc
import MountSupport
import Testing

/// Whole trees go out and come back, or move inside the store, as they are.
struct CopyTests {
    /// Values with and without newlines, of directories too, empty directories, owners.
    private static let tree = """
        xenstore-write /t/a/x 1 /t/a/deep/er/key 'two words' /t/a '' /t/a/own/z 3 /t/a/own held
        mkdir t/a/empty
        printf 'line\\n\\n' > t/a/lines; head -c 1500 /dev/urandom > t/a/binary
        xenstore-chmod /t/a/x n5 r6 b7; xenstore-chmod /t/a/own r3 w5; xenstore-chmod /t/a/deep b0
        # What two trees hold, without their names.
        tree() { xenstore-ls -fp | sed -n "s|^/$1/||p" | sort; }
        same() { [ "$(tree t/a | wc -l)" = 9 ] && diff <(tree t/a) <(tree $1) && echo same; }

        """

    @Test(arguments: StoreKind.allCases)
    func copiesAreTheSameByteForByte(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tree + """
                    cp -a t/a t/b && same t/b
                    cp -a t/a $T/out && cp -a $T/out t/c && same t/c
                    tar --xattrs --xattrs-include='*' -cf $T/tar -C t a
                    mkdir t/d && tar --xattrs --xattrs-include='*' -xf $T/tar -C t/d && same t/d/a
                    rsync -aAX t/a/ $T/rsync/ && rsync -aAX --delete $T/rsync/ t/e/ && same t/e
                    tar --acls --xattrs -cf $T/tar -C t a
                    mkdir t/f && tar --acls --xattrs -xf $T/tar -C t/f && same t/f/a
                    stat -c %F t/b/empty t/c/empty t/d/a/empty t/e/empty t/f/a/empty | uniq -c
                    """,
                prints: "same\nsame\nsame\nsame\nsame\n      5 directory\n"
            )
            try await mount.expectSameAsStore()
        }
    }

    /// Out of a mount, and back into a store without them: the keys of guests, with binary values
    /// and values of directories. `XSFS_LARGE=1` takes 200 guests.
    @Test(.timeLimit(.minutes(20)), arguments: StoreKind.remote)
    func theKeysOfGuestsComeBackAsTheyWere(kind: StoreKind) async throws {
        let guests = getenv("XSFS_LARGE") == nil ? 3 : 200
        // xenstore-ls cannot list what oxenstored sends in a message of more than 4096 bytes.
        let list = kind.isOxenstored ? "\"$XSFS\" ls --socket \"$S\" -fp" : "xenstore-ls -fp"
        try await withMount(kind, MountSettings(domains: 1...guests)) { mount in
            try await mount.expect(
                """
                "$TOOLS/populate" "$S" domains \(guests)
                head -c 1500 /dev/urandom > local/domain/1/data.dir/binary
                printf 'own\\n\\n' > local/domain/1/.value
                store() { \(list) | sort; }
                store > $T/before
                back() { store | diff $T/before - && xenstore-rm /local && xenstore-rm /vm; }
                mkdir $T/cp $T/rsync $T/tar
                cp -a local vm $T/cp && rsync -aAX local vm $T/rsync
                tar --acls --xattrs -cf $T/tar.tar local vm
                xenstore-rm /local && xenstore-rm /vm && cp -a $T/cp/* . && back
                rsync -aAX --delete $T/rsync/local $T/rsync/vm . && back
                tar --acls --xattrs -xf $T/tar.tar && back
                """,
                limit: .seconds(600)
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aMovedTreeIsTheSame(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                Self.tree + """
                    tree t/a > $T/before; stat -c %i t/a > $T/inode
                    mv t/a t/moved && tree t/moved | diff $T/before -
                    stat -c %i t/moved | diff $T/inode -
                    xenstore-exists /t/a && echo still there
                    stat -c %F t/moved/empty
                    cd t/moved/deep && mv ../../moved/deep ../../deep && ls && pwd -P | sed "s|$M||"
                    """,
                prints: "directory\ner\n/t/deep\n"
            )
            try await mount.expectSameAsStore()
        }
    }

    /// Others see a move as one change: the old tree or the new one, never half of each.
    @Test(arguments: StoreKind.remote)
    func aMoveIsAtomic(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                xenstore-write /t/a/1 v /t/a/2 v /t/a/3/4 v
                (for i in $(seq 40); do mv t/a t/b && mv t/b t/a || exit; done; : > $T/done) &
                until [ -e $T/done ]; do
                    # One transaction, and so one moment: xenstore-ls takes many.
                    n=$(python3 $T/snapshot.py); [ "$n" = 4 ] || echo "$n keys"
                done
                wait
                """.replacing("until [ -e", with: Self.snapshot + "\nuntil [ -e")
            )
            try await mount.expectSameAsStore()
        }
    }

    /// Counts the keys below `/t/a` and `/t/b` in one transaction.
    private static let snapshot = """
        cat > $T/snapshot.py <<'END'
        import os, sys
        sys.path.insert(0, os.environ["TOOLS"])
        from xenstore import HEADER, DIRECTORY, Refused, Store
        store = Store(os.environ["S"])

        def count(path, number):
            try:
                store.socket.sendall(
                    HEADER.pack(DIRECTORY, 0, number, len(path) + 1) + path.encode() + b"\\0")
                names = [name.decode() for name in store.answer().split(b"\\0") if name]
            except Refused:
                return 0
            return len(names) + sum(count(path + "/" + name, number) for name in names)

        while True:
            number = int(store.call(6, b"\\0")[:-1])
            total = count("/t/a", number) + count("/t/b", number)
            try:
                store.socket.sendall(HEADER.pack(7, 0, number, 2) + b"T\\0")
                store.answer()
                break
            except Refused:
                pass  # what it read was not of one moment
        print(total)
        END
        """
}
