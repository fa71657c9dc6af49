import Glibc
import MountSupport
import Testing

/// The programs that others wrote for xenstored work with ours.
///
/// `XSFS_RANDOM=SECONDS` sets how long Xen's random test runs.
@Suite(.timeLimit(.minutes(10)))
struct ToolTests {
    private static let seconds = getenv("XSFS_RANDOM").flatMap { Int(String(cString: $0)) } ?? 2

    @Test func xenstoreTools() async throws {
        try await withServer { server in
            try await server.expect(
                "xenstore-write /a/b one /a/c two && xenstore-read /a/b /a/c",
                prints: "one\ntwo\n"
            )
            try await server.expect("xenstore-list /a", prints: "b\nc\n")
            try await server.expect(
                "xenstore-chmod /a/b n0 r5 && xenstore-ls -fp /a",
                prints: """
                    /a/b = "one"   (n0,r5)
                    /a/c = "two"   (n0)

                    """
            )
            try await server.expect(
                "xenstore-chmod -r /a n3 && xenstore-ls -fp /a | grep -c '(n3)$'",
                prints: "2\n"
            )
            try await server.expect("xenstore-exists /a/b && echo yes", prints: "yes\n")
            try await server.expect("xenstore-rm /a; xenstore-exists /a || echo no", prints: "no\n")
        }
    }

    @Test func xenstoreWatch() async throws {
        try await withServer { server in
            let watch = try await server.shell.start("exec xenstore-watch -n 3 /w")
            try await eventually("the watch is set") {
                server.shell.result(watch).output == "/w\n"
            }
            try await server.expect("xenstore-write /w/a 1 && xenstore-rm /w", prints: "")
            #expect(try await watch.wait(upTo: .seconds(20)) == .exited(0))
            #expect(server.shell.result(watch).output == "/w\n/w/a\n/w\n")
        }
    }

    @Test func aKeyWithMoreChildrenThanAMessageHolds() async throws {
        try await withServer { server in
            try await server.expect(
                """
                for i in $(seq 0 19); do
                    xenstore-write $(seq -f "/many/child-with-a-long-name-%04g x" $((i*50)) $((i*50+49)))
                done
                xenstore-list /many | wc -l
                """,
                prints: "1000\n"
            )
        }
    }

    @Test func testsOfXen() async throws {
        try await withServer { server in
            let program = "/usr/lib/xen-4.17/bin/test-xenstore"
            for options in ["-i 20", "-r \(Self.seconds)"] {
                let result = try await server.shell.run(
                    "\(program) \(options)",
                    limit: .seconds(60 + Self.seconds)
                )
                #expect(result.status == .exited(0), "\(result)")
            }
        }
    }

    /// A file of the log, and one that cannot be had.
    @Test func controlNamesFiles() async throws {
        try await withServer { server in
            try await server.expect(
                """
                ctl() { "$XSFS" control "$@" 2> $T/why || echo "status $?"; }
                ctl logfile $T/log; xenstore-write /logged 1; ctl log off; xenstore-read /logged
                grep -c 'write.*/logged' $T/log; stat -c %a $T/log
                ctl memreport $T/memory; grep -c 'memory: domain 0' $T/memory
                ctl logfile $T/none/log; ctl logfile log; ctl memreport $T
                ctl quota max | head -n 1
                """,
                prints: """
                    OK
                    OK
                    1
                    1
                    600
                    OK
                    1
                    status 3
                    status 3
                    status 3
                    Max. seen accounting values:

                    """
            )
        }
    }

    @Test func pyxs() async throws {
        try await withServer { server in
            try await server.expect("\"$TOOLS/../StoreTools/pyxs-session\" $S", prints: "done\n")
        }
    }
}
