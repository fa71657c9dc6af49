import MountSupport
import Testing

/// Options of mount(8), fstab(5) and mount.fuse3(8), which any mount may be given.
@Suite(.timeLimit(.minutes(5)))
struct MountOptionTests {
    /// What the kernel shows of a mount without options.
    private static let usual = "rw,nosuid,nodev,relatime"

    /// Options, and what the kernel shows of them.
    private static let options =
        [
            ("ro", "ro,nosuid,nodev,relatime"), ("dev", "rw,nosuid,relatime"),
            ("suid", "rw,nodev,relatime"), ("noexec", "rw,nosuid,nodev,noexec,relatime"),
            ("sync", "rw,nosuid,nodev,relatime,sync"),
            ("dirsync", "rw,nosuid,nodev,relatime,dirsync"),
            ("noatime", "rw,nosuid,nodev,noatime"), ("user", "rw,nosuid,nodev,noexec,relatime"),
            ("user=root", "rw,nosuid,nodev,noexec,relatime"), ("users,exec", usual),
            ("owner", usual), ("group,suid,dev", "rw,relatime"), ("ro,defaults,rw", usual),
            ("context=\"u:o:t:s0:c1,c2\",ro", "ro,nosuid,nodev,relatime"),
            ("owner,owner=domid", usual),
            ("nodiratime,noexec,nofail", "rw,nosuid,nodev,noexec,relatime"),
        ]
        + [
            "rw", "nodev", "nosuid", "exec", "async", "atime", "diratime", "nodiratime", "relatime",
            "norelatime", "strictatime", "nostrictatime", "lazytime", "nolazytime", "mand",
            "nomand",
            "silent", "loud", "iversion", "noiversion", "symfollow", "nosymfollow", "auto",
            "noauto",
            "nouser", "nousers", "nogroup", "noowner", "_netdev", "nofail", "defaults", "x-a.b=c",
            "X-mount.mkdir=0755", "x-systemd.requires=a.service", "comment=a b",
            "rootcontext=@target",
            "fscontext=a", "defcontext=a", "helper=a", "uhelper=a", "auto_unmount", "nonempty",
        ].map { ($0, usual) }

    @Test func eachIsTaken() async throws {
        try await Shell.use { shell in
            for (option, shown) in Self.options {
                try await shell.expect(
                    """
                    mkdir -p $T/m; "$XSFS" --embedded -o '\(option)' $T/m &&
                        findmnt -no OPTIONS --mountpoint $T/m | sed 's/,user_id=.*//'
                    fusermount3 -u $T/m
                    """,
                    prints: shown + "\n"
                )
            }
        }
    }

    @Test func whatIsNoMountIsRefused() async throws {
        try await Shell.use { shell in
            for (option, reason) in [
                ("remount", "unmount, and mount with the other options"), ("bind", "'bind'"),
                ("rbind", "'rbind'"), ("move", "'move'"), ("private", "'private'"),
                ("loop", "'loop'"), ("nodiratime=1", "'nodiratime'"), ("uid=", "'uid'"),
                ("owner=", "'owner'"), ("ro,,frobnicate", "'frobnicate'"),
            ] {
                try await shell.expect(
                    "mkdir -p $T/m; \"$XSFS\" --embedded -o \(option) $T/m",
                    refuses: [reason],
                    status: 64
                )
            }
        }
    }

    @Test(arguments: [
        "-oro,subtree=/local/domain", "-o ro,subtree=/local/domain/",
        "-o ro -osubtree=/local/domain",
    ])
    func theyMayFollowTheirLetterAtOnce(options: String) async throws {
        try await Shell.use { shell in
            for arguments in ["\(options) $T/m", "$T/m \(options)"] {
                try await shell.expect(
                    """
                    mkdir -p $T/m; "$XSFS" --embedded \(arguments) && ls $T/m
                    findmnt -no OPTIONS --mountpoint $T/m | cut -c 1-3; fusermount3 -u $T/m
                    """,
                    prints: "0\n1\n2\nro,\n"
                )
            }
            try await shell.expect(
                """
                "$XSFS" -f\(options.dropFirst()) --embedded $T/m &
                until grep -q " $T/m " /proc/self/mountinfo || ! kill -0 $!; do :; done
                ls $T/m; fusermount3 -u $T/m; wait $!
                """,
                prints: "0\n1\n2\n"
            )
        }
    }
}
