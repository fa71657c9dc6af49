import Glibc
import MountSupport
import Testing

/// No slip in a command line ends with a mount.
@Suite(.timeLimit(.minutes(5)))
struct CommandWordTests {
    @Test(arguments: [
        "--socket \"$S\" ls -f /tool", "--socket=\"$S\" ls -f /tool", "-s ls -f /tool",
        "ls --socket \"$S\" -f /tool",
    ])
    func theStoreMayBeNamedBeforeTheCommand(arguments: String) async throws {
        try await withStore(.served) { shell in
            try await shell.expect(
                "mkdir $T/d $T/d/ls && cd $T/d && \"$XSFS\" \(arguments); ls -A ls",
                prints: "/tool/xenstored = \"\"\n"
            )
        }
    }

    @Test(arguments: [
        ("--embedded ls", "'--embedded' stands before the command 'ls'"),
        ("-f ls", "'-f' stands before the command 'ls'"),
        ("-o ro read /a", "'-o' stands before the command 'read'"),
        ("--embedded status", "/.xsfs/status"), ("umount m", "`umount MOUNTPOINT`"),
        ("raed /a", "did you mean `xsfs read`?"), ("--socket s wrte /a 1", "`xsfs write`?"),
        ("-fo ro lss", "`xsfs ls`?"), ("-oro perm /a", "`xsfs perms`?"),
        ("get /a", "`xsfs read`?"), ("transact /a", "`xsfs transaction`?"),
        ("--load l --embedded watsch", "`xsfs watch`?"),
    ])
    func aCommandIsNotTakenForAMountpoint(arguments: String, reason: String) async throws {
        try await Shell.use { shell in
            let result = try await shell.run(
                """
                mkdir $T/d && cd $T/d && mkdir ls read status m umount
                "$XSFS" \(arguments); status=$?
                grep " $T/" /proc/self/mountinfo; exit $status
                """
            )
            #expect(result.status == .exited(64) && result.output.isEmpty, "\(result)")
            #expect(result.errors.contains(reason) && result.errors.hasPrefix("xsfs: "))
        }
    }

    /// Also where an argument is missing.
    @Test(arguments: [
        "--unknown", "--unknown ./m", "-f --unknown", "mount --unknown", "serve --unknown",
        "serve --listen s --unknown", "transaction --unknown", "read --unknown", "wait --unknown",
    ])
    func anUnknownOptionIsNamed(arguments: String) async throws {
        try await Shell.use { shell in
            let result = try await shell.run("cd $T; \"$XSFS\" \(arguments)")
            #expect(result.status != .exited(0) && result.output.isEmpty, "\(result)")
            #expect(result.errors.hasPrefix("xsfs: Unknown option '--unknown'"), "\(result)")
        }
    }

    /// A slash, `--` and `mount` say that it is a directory; so does one that is there.
    @Test(arguments: ["./status", "-- ls", "mount ls", "$T/d/read", "lst", "--listen ../s ./ls"])
    func aDirectoryOfAnyNameIsAMountpoint(arguments: String) async throws {
        try await Shell.use { shell in
            try await shell.expect(
                """
                mkdir $T/d && cd $T/d && mkdir ls read status lst
                "$XSFS" --embedded \(arguments) && cat */local/domain/1/name
                fusermount3 -u */local/../.
                """,
                prints: "web\n"
            )
        }
    }

    @Test func helpIsThatOfTheCommand() async throws {
        try await Shell.use { shell in
            try await shell.expect(
                """
                for arguments in "ls --help" "--help ls" "-h ls"; do
                    "$XSFS" $arguments | cmp - <("$XSFS" help ls)
                done
                """
            )
        }
    }
}
