import MountSupport
import Testing

/// Where it mounts, whatever the mountpoint is called.
@Suite(.timeLimit(.minutes(5)))
struct MountpointTests {
    /// The process that serves a mount would wait for ever for a path through it.
    @Test(arguments: [
        (".", "."), ("./", "."), ("..", "sub"), ("sub/../.", "."), ("../m", "."),
        ("$T/m//.", "."), ("$T/link", "/"), ("../link/.", "."), ("../../link/sub/..", "sub"),
    ])
    func aDirectoryHasManyNames(name: String, workingDirectory: String) async throws {
        try await Shell.use { shell in
            let script = """
                mkdir -p $T/m/sub && ln -s m $T/link && cd $T/m && cd \(workingDirectory) || exit
                """
            try await shell.expect(
                script + """

                    "$XSFS" --embedded \(name) && cat $T/m/local/domain/1/name
                    ls . >/dev/null; fusermount3 -u $T/m; rm $T/link
                    """,
                prints: "web\n"
            )
            try await shell.expect(
                script + """

                    "$XSFS" -f --embedded \(name) &
                    until grep -q " $T/m " /proc/self/mountinfo || ! kill -0 $!; do :; done
                    cat $T/m/local/domain/1/name; fusermount3 -u $T/m; wait $! && echo ended
                    """,
                prints: "web\nended\n"
            )
        }
    }

    /// CONTROL `logfile` names a file, which may be one that this process would have to answer for.
    @Test func aLogInTheMountIsRefused() async throws {
        try await Shell.use { shell in
            try await shell.expect(
                """
                mkdir $T/m; ln -s m/local $T/link
                "$XSFS" --embedded --listen $T/socket $T/m
                for file in m/log m/local/log link/log; do
                    "$XSFS" control --socket $T/socket logfile $T/$file 2>/dev/null; echo $?
                done
                "$XSFS" control --socket $T/socket logfile /dev/null 2>/dev/null; echo $?
                "$XSFS" control --socket $T/socket logfile $T/log; test -s $T/log && echo logged
                ls $T/m $T/m/local; fusermount3 -u $T/m
                """,
                prints: """
                    3
                    3
                    3
                    3
                    OK
                    logged
                    \(shell.directory)/m:
                    libxl
                    local
                    tool
                    vm

                    \(shell.directory)/m/local:
                    domain

                    """
            )
        }
    }

    @Test func aMountHidesNothingThatIsNeeded() async throws {
        try await Shell.use { shell in
            for (options, mountpoint, hidden) in [
                ("--embedded", "/", "/dev"), ("--embedded", "/proc", "/proc"),
                ("--embedded --listen $T/m/socket", "$T/m", "socket"),
                ("--embedded --listen $T/m/socket", "$T/link", "socket"),
                ("--socket $T/link/socket", "$T/m/../m", "socket"),
                ("--socket socket", ".", "socket"),
            ] {
                try await shell.expect(
                    """
                    mkdir -p $T/m; ln -sfn m $T/link; cd $T/m; rm -f socket
                    case '\(options)' in --socket*)
                        "$XSFS" serve --listen $T/m/socket & until [ -S socket ]; do :; done ;;
                    esac
                    "$XSFS" \(options) "\(mountpoint)"; status=$?
                    jobs -p | xargs -r kill; wait; exit $status
                    """,
                    refuses: ["cannot mount at", "it would hide", hidden]
                )
            }
        }
    }
}
