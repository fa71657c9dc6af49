import MountSupport
import Testing

/// Owners, modes, and the attributes that hold the rest.
struct PermissionTests {
    /// cpio(1) and unzip(1) do so with an empty file.
    @Test(arguments: StoreKind.allVersions)
    func whatIsCreatedAndNotWrittenYetCanBeChanged(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t; exec 3>t/mode 4>t/owner 5>t/list 6>t/old
                chmod 644 t/mode; chown 2 t/owner
                setfattr -n user.xenstore.perms -v n0,r3 t/list; mv t/old t/new
                echo 1 >&3; exec 3>&- 4>&- 5>&- 6>&-
                getfattr --only-values -n user.xenstore.perms t/mode t/owner t/list
                echo; ls t; cat t/mode
                exec 7>t/zeros; python3 -c 'import os; os.ftruncate(7, 3); os.fchmod(7, 0o644)'
                exec 7>&-; getfattr --only-values -n user.xenstore.value t/zeros | od -An -tx1
                """,
                prints: "r0n2n0,r3\nlist\nmode\nnew\nowner\n1\n 00 00 00\n"
            )
            try await mount.expectSameAsStore()
        }
    }

    /// C xenstored takes no such owner.
    @Test func whoCanBeNoDomainIsNobody() async throws {
        try await withMount(.oxenstored) { mount in
            try await mount.expect(
                """
                xenstore-write /f v
                for p in n70000 r32752,w5 n32751 n0,b70000 n0,r5,b32752; do
                    xenstore-chmod /f ${p//,/ }; stat -c '%A %u' f
                    getfattr --only-values -n user.xenstore.perms f
                    getfacl -cnp f | grep -c user:; setfacl -m u:7:r f && setfacl -x u:7 f
                    setfacl -b f; xenstore-ls -fp | grep '^/f '
                done
                setfacl -m u:32752:r f 2>&1 || xenstore-ls -fp | grep '^/f '
                """,
                prints: """
                    -rw------- 65534
                    n700001
                    /f = "v"   (n70000)
                    -rw-rw-r-- 65534
                    r32752,w52
                    /f = "v"   (r32752)
                    -rw------- 32751
                    n327511
                    /f = "v"   (n32751)
                    -rw------- 0
                    n0,b700001
                    /f = "v"   (n0,b70000)
                    -rw-r----- 0
                    n0,r5,b327522
                    /f = "v"   (n0,b32752)
                    setfacl: f: Invalid argument
                    /f = "v"   (n0,b32752)

                    """
            )
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allVersions)
    func ownersAndModesComeFromThePermissions(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                xenstore-write /t/f v /t/d/x v
                for p in n0 r0 w0 b0 n5 n0,r5 n0,w5 n0,b5 r3,w5 b0,n5 n1,r2,w3; do
                    xenstore-chmod /t/f ${p//,/ } && xenstore-chmod /t/d ${p//,/ }
                    getfattr --only-values -n user.xenstore.perms t/f
                    stat -c ' %A %u:%g' t/f; stat -c '%A' t/d
                done
                """,
                prints: """
                    n0 -rw------- 0:0
                    drwx------
                    r0 -rw-r--r-- 0:0
                    drwxr-xr-x
                    w0 -rw--w--w- 0:0
                    drwx-w--w-
                    b0 -rw-rw-rw- 0:0
                    drwxrwxrwx
                    n5 -rw------- 5:0
                    drwx------
                    n0,r5 -rw-r----- 0:0
                    drwxr-x---
                    n0,w5 -rw--w---- 0:0
                    drwx-w----
                    n0,b5 -rw-rw---- 0:0
                    drwxrwx---
                    r3,w5 -rw-rw-r-- 3:0
                    drwxrwxr-x
                    b0,n5 -rw-rw-rw- 0:0
                    drwxrwxrwx
                    n1,r2,w3 -rw-rw---- 1:0
                    drwxrwx---

                    """
            )
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.allVersions)
    func chmodAndChownSetWhatCanBeSaid(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t t/d; echo v > t/f
                perms() { xenstore-ls -fp | sed -n "s|^$1 = .*(\\(.*\\))|\\1|p"; }
                chmod 644 t/f && perms /t/f
                chmod 666 t/f && perms /t/f
                chmod o-r,g-r t/f && perms /t/f
                chmod 600 t/f && perms /t/f
                chmod 755 t/d && perms /t/d
                chmod 700 t/d && perms /t/d
                chown 5 t/f && perms /t/f && stat -c %u t/f
                chown -R 3 t/d && perms /t/d
                chown 0:0 t/f && perms /t/f
                cat t/f
                """,
                prints: "r0\nb0\nw0\nn0\nr0\nn0\nn5\n5\nn3\nn0\nv\n"
            )
            for change in [
                "chmod 400 t/f", "chmod 604 t/f", "chmod 0 t/f", "chmod +t t/d", "chmod u+s t/f",
                "chmod 744 t/d", "chgrp 5 t/f", "chown 5:5 t/f",
            ] {
                try await mount.expect(change, fails: "Operation not permitted")
            }
            try await mount.expect("stat -c '%a %u:%g' t/f t/d", prints: "600 0:0\n700 3:0\n")
            try await mount.expectSameAsStore()
        }
    }

    /// getfacl and setfacl: a user of the list is a domain.
    @Test(arguments: StoreKind.allVersions)
    func listsAreTheEntriesOfDomains(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                perms() { xenstore-ls -fp / | sed -n "s|^/$1 = .*(\\(.*\\))|\\1|p"; }
                mkdir t; echo v > t/f; xenstore-chmod /t/f n0 r5 b7
                getfacl -cn t/f; stat -c %A t/f; ls -l t/f | cut -c1-11
                setfacl -m u:6:w t/f; perms t/f
                setfacl -x u:5 t/f; perms t/f
                setfacl -m o::r t/f; perms t/f
                setfacl -m o::- t/f; perms t/f
                getfacl -n t/f > $T/acl; setfacl -b t/f; perms t/f
                setfacl --set-file=$T/acl t/f; perms t/f
                setfacl -m u:5:rx t; perms t; getfacl -cn t | grep user:5
                setfacl -k t
                """,
                prints: """
                    user::rw-
                    user:5:r--
                    user:7:rw-
                    group::---
                    mask::rw-
                    other::---

                    -rw-rw----
                    -rw-rw----+
                    n0,r5,b7,w6
                    n0,b7,w6
                    r0,b7,w6
                    n0,b7,w6
                    n0
                    n0,w6,b7
                    n0,r5
                    user:5:r-x

                    """
            )
            for change in ["-m g:5:r", "-m u::r", "-m g::rw", "-m u:5:rw,m::r"] {
                try await mount.expect("setfacl \(change) t/f", fails: "Operation not permitted")
            }
            try await mount.expect("setfacl -d -m u:5:r t", fails: "Operation not supported")
            try await mount.expect("getfacl -cn t/f | head -3 | tail -1", prints: "user:7:rw-\n")
            try await mount.expectSameAsStore()
        }
    }

    /// By the name alone ls(1) of coreutils 9.7 and whatever copies a file find the list.
    @Test(arguments: StoreKind.allVersions)
    func aListIsAmongTheNamesWhereThereIsOne(kind: StoreKind) async throws {
        let names = """
            python3 -c 'import os, sys
            for path in sys.argv[1:]: print(path, *os.listxattr(path))'
            """
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t t/d; echo v > t/f; echo v > t/plain; echo v > t/.scratch
                xenstore-chmod /t/f n0 r5; xenstore-chmod /t/d n0 r5 b6
                list() { \(names) "$@"; }
                list t t/f t/f.value t/f.dir t/d t/plain t/.scratch
                setfacl -m u:5:r t/plain t/.scratch; setfacl -b t/f; list t/f t/plain t/.scratch
                mkdir .txn/x; list .txn/x/t/f .txn/x/t/plain
                rmdir .txn/x
                rm t/.scratch; cp -a t/d t/copy; cp -p t/plain $T/out; getfacl -cnp $T/out
                "$TOOLS/copy-as" cp-9.7 t/plain t/back
                python3 -c 'import shutil; shutil.copy2("t/plain", "t/python")'
                list t/copy t/back t/python
                getfattr --only-values -n user.xenstore.perms t/copy t/back t/python
                """,
                prints: """
                    t user.xenstore.perms
                    t/f user.xenstore.perms system.posix_acl_access
                    t/f.value user.xenstore.perms system.posix_acl_access
                    t/f.dir user.xenstore.perms system.posix_acl_access
                    t/d user.xenstore.perms system.posix_acl_access
                    t/plain user.xenstore.perms
                    t/.scratch user.xenstore.perms
                    t/f user.xenstore.perms
                    t/plain user.xenstore.perms system.posix_acl_access
                    t/.scratch user.xenstore.perms system.posix_acl_access
                    .txn/x/t/f user.xenstore.perms
                    .txn/x/t/plain user.xenstore.perms system.posix_acl_access
                    user::rw-
                    user:5:r--
                    group::---
                    mask::r--
                    other::---

                    t/copy user.xenstore.perms system.posix_acl_access
                    t/back user.xenstore.perms system.posix_acl_access
                    t/python user.xenstore.perms system.posix_acl_access
                    n0,r5,b6n0,r5n0,r5
                    """
            )
        }
        // Where users are no domains there is none.
        try await withMount(kind, MountSettings(options: "uid=7")) { mount in
            try await mount.expect(
                "xenstore-write /f v && xenstore-chmod /f n0 r5; \(names) f",
                prints: "f user.xenstore.perms\n"
            )
        }
    }

    @Test(arguments: StoreKind.allVersions)
    func attributesHoldTheWholeTruth(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t t/d; echo v > t/f
                setfattr -n user.xenstore.perms -v n2,r5,w6,b7 t/f
                xenstore-ls -fp | grep ^/t/f; stat -c %a:%u t/f
                setfattr -n user.xenstore.perms -v r0 t/d; stat -c %a t/d
                setfattr -n user.xenstore.value -v 0x00ff0a t/f
                xenstore-ls -f | grep ^/t/f; stat -c %s t/f
                getfattr -e hex -n user.xenstore.value t/f
                getfattr -m - t/f
                mkdir t/d/e && setfattr -n user.xenstore.value -v own t/d && cat t/d/.value
                """,
                prints: #"""
                    /t/f = "v"   (n2,r5,w6,b7)
                    660:2
                    755
                    /t/f = "\000\xff\n"
                    4
                    # file: t/f
                    user.xenstore.value=0x00ff0a

                    # file: t/f
                    system.posix_acl_access
                    user.xenstore.perms

                    own

                    """#
            )
            for permissions in ["x0", "", "n", "n0 r5", "r5,", "n0,,r5", "n-1", "n99999999999"] {
                try await mount.expect(
                    "setfattr -n user.xenstore.perms -v '\(permissions)' t/f",
                    fails: "Invalid argument"
                )
            }
            try await mount.expect("setfattr -n user.other -v x t/f", fails: "not supported")
            try await mount.expect("setfattr -x user.xenstore.perms t/f", fails: "not permitted")
            try await mount.expect("getfattr -n user.other t/f", fails: "No such attribute")
            try await mount.expectSameAsStore()
        }
    }
}
