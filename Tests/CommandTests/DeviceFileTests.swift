import MountSupport
import Testing

/// Requests are written to a store, and to nothing that was named by mistake.
@Suite(.timeLimit(.minutes(5)))
struct DeviceFileTests {
    /// Each way to name a device.
    private static let ways = [
        "\"$XSFS\" read --device \"$F\" name", "XENSTORED_PATH=\"$F\" \"$XSFS\" read name",
        "\"$XSFS\" --device \"$F\" $T/m", "\"$XSFS\" -f -o device=\"$F\" $T/m",
        "XENSTORED_PATH=\"$F\" \"$XSFS\" $T/m", "\"$XSFS\" wait -t 1 --device \"$F\" name",
    ]

    @Test(arguments: ways)
    func aFileStaysAsItIs(command: String) async throws {
        try await Shell.use { shell in
            try await shell.expect(
                """
                mkdir $T/m; echo precious >$T/file; ln -s file $T/link
                touch -d 2001-01-01 $T/file; mkfifo $T/pipe; mknod $T/block b 7 250
                exec 3<>$T/pipe
                for F in $T/file $T/link $T/pipe $T/block /dev/null /dev/zero /dev/fuse $T; do
                    \(command) 2>&1 && echo "it took $F"
                done | sed 's/.*: it is //; s/, and not .*//'
                cat $T/file; stat -c %y $T/file | cut -c 1-4; read -t 0 <&3 && echo written
                [ ! -e name ]
                """,
                prints: """
                    a regular file
                    a regular file
                    a pipe
                    a block device
                    a character device
                    a character device
                    a character device
                    a directory
                    precious
                    2001

                    """
            )
        }
    }

    /// What the kernel calls the device decides. Here it calls another one so, which refuses what
    /// is written to it.
    @Test(arguments: ["/sys", "/proc"])
    func theKernelsNameDecides(place: String) async throws {
        try await Shell.use { shell in
            let result = try await shell.run(
                """
                exec unshare --mount bash -c '
                minor=$(stat -c %Hr:%Lr /dev/fuse)
                printf "MAJOR=10\\nDEVNAME=xen/xenbus\\n" >$T/uevent
                echo "${minor#10:} xen/xenbus" >$T/misc
                if [ \(place) = /sys ]; then
                    mount --bind $T/uevent /sys/dev/char/$minor/uevent
                else
                    mount -t tmpfs none /sys && mount --bind $T/misc /proc/misc
                fi
                "$XSFS" read --device /dev/fuse name'
                """
            )
            let reason = "xsfs: cannot read name: permission denied (EPERM)\n"
            #expect(result.status == .exited(1) && result.errors == reason, "\(result)")
        }
    }

    @Test func aSocketMustBeOne() async throws {
        try await Shell.use { shell in
            try await shell.expect(
                "echo precious >$T/file; \"$XSFS\" read --socket $T/file name",
                fails: "cannot connect to the socket \(shell.directory)/file: it is a regular file"
            )
            try await shell.expect("cat $T/file", prints: "precious\n")
        }
    }
}
