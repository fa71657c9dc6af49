import Glibc
import MountSupport
import Testing

/// What the commands do that Xen's tools do not.
@Suite(.timeLimit(.minutes(10)))
struct CommandTests {
    @Test func jsonLosesNothing() async throws {
        try await withStore(.xenstored) { shell in
            let script = """
                "$XSFS" write /t/text 'a"b\\\\c\\nä' /t/bytes '\\xff\\x00\\x80A' /t/empty '' /t/ctl '\\x01\\x7f'
                "$XSFS" chmod /t n0 r5
                {
                    "$XSFS" read --json /t/text /t/bytes /t/empty /t/ctl
                    "$XSFS" ls --json -p /t; "$XSFS" ls --json /t/none 2>/dev/null
                    "$XSFS" list --json /t /t/text; "$XSFS" perms --json /t
                    "$XSFS" exists --json /t /none
                    "$XSFS" watch --json -n 1 /t
                } | python3 -c '
                import base64, json, sys
                text, decoder = sys.stdin.read(), json.JSONDecoder()
                while text.strip():
                    value, end = decoder.raw_decode(text.lstrip())
                    text = text.lstrip()[end:]
                    for key in sorted(value):
                        v = value[key]
                        if isinstance(v, dict) and "base64" in v: v = base64.b64decode(v["base64"])
                        print(key, ascii(v))
                '
                """
            try await shell.expect(
                script,
                prints: """
                    /t/bytes b'\\xff\\x00\\x80A'
                    /t/ctl '\\x01\\x7f'
                    /t/empty ''
                    /t/text 'a"b\\\\c\\n\\xe4'
                    /t/bytes {'value': {'base64': '/wCAQQ=='}, 'permissions': ['n0']}
                    /t/ctl {'value': '\\x01\\x7f', 'permissions': ['n0']}
                    /t/empty {'value': '', 'permissions': ['n0']}
                    /t/text {'value': 'a"b\\\\c\\n\\xe4', 'permissions': ['n0']}
                    /t ['text', 'bytes', 'empty', 'ctl']
                    /t/text []
                    /t ['n0', 'r5']
                    /none False
                    /t True
                    path '/t'

                    """
            )
        }
    }

    @Test func bytesGoThroughStandardInputAndOutput() async throws {
        try await withStore(.xenstored) { shell in
            try await shell.expect(
                """
                head -c 2000 /dev/urandom > $T/bytes
                "$XSFS" write --stdin /t/b < $T/bytes && "$XSFS" read -R /t/b | cmp - $T/bytes
                """
            )
        }
    }

    @Test func severalKeysAreAllOrNone() async throws {
        for kind in StoreKind.remote {
            try await withStore(kind) { shell in
                try await shell.expect(
                    """
                    "$XSFS" mkdir /t/a /t/b
                    "$XSFS" write /t/a 1 /t/b "$(printf 'x%.0s' $(seq 5000))" 2>/dev/null; echo $?
                    "$XSFS" rm /t/a /no/such 2>/dev/null; echo $?
                    "$XSFS" ls -f /t
                    """,
                    prints: "1\n1\n/t/a = \"\"\n/t/b = \"\"\n"
                )
            }
        }
    }

    @Test func conflictsAreTriedAgain() async throws {
        // C xenstored refuses one of two transactions that make siblings.
        try await withStore(.xenstored) { shell in
            try await shell.expect(
                """
                for i in $(seq 12); do
                    "$XSFS" write /t/$i/a 1 /t/$i/b 2 &
                done
                wait
                "$XSFS" list /t | wc -l
                """,
                prints: "12\n"
            )
        }
    }

    @Test func waitingIsForWhatIsSaid() async throws {
        try await withStore(.xenstored) { shell in
            for (condition, change) in [
                ("/t/new", "write /t/new ''"), ("'!/t/new'", "rm /t/new"),
                ("'/t/v=a\\tb'", "write /t/v 'a\\tb'"), ("'/t/v!=a\\tb'", "write /t/v c"),
                ("--any /t/never /t/other=1", "write /t/other 1"),
                ("/t/v=c /t/last", "write /t/last x"),
            ] {
                let waiting = try await shell.start("exec \"$XSFS\" wait --timeout 60 \(condition)")
                let early = try await shell.run("\"$XSFS\" wait -t 0.2 \(condition)")
                #expect(early.status == .exited(124) && early.errors.isEmpty, "\(early)")
                #expect(waiting.status == nil, "\(condition) is met too early")
                try await shell.expect("\"$XSFS\" \(change)")
                #expect(try await waiting.wait() == .exited(0), "\(condition)")
            }
            try await shell.expect("\"$XSFS\" wait '/t/v ='", fails: "'/t/v ' is no key")
            try await shell.expect("\"$XSFS\" wait -t x /t", fails: "seconds")
        }
    }

    /// However short the time is: the store is asked.
    @Test(arguments: ["0", "0.000001"])
    func aWaitLooksOnce(seconds: String) async throws {
        for kind in StoreKind.remote {
            try await withStore(kind) { shell in
                try await shell.expect(
                    """
                    "$XSFS" write /t/k v
                    for condition in /t/k /t/k=v '!/t/none' /t/none /t/k=w '!/t/k'; do
                        "$XSFS" wait --timeout \(seconds) "$condition"; echo $?
                    done
                    "$XSFS" wait --any -t \(seconds) /t/none /t/k; echo $?
                    """,
                    prints: "0\n0\n0\n124\n124\n124\n0\n"
                )
            }
        }
    }

    @Test func aSlashAtTheEndOfAKeyMeansNothing() async throws {
        try await withStore(.xenstored) { shell in
            try await shell.expect(
                """
                all() {
                    "$XSFS" write /t/a$1 1/ /t/b$1 2 && "$XSFS" read -p /t/a$1 /t/b$1
                    "$XSFS" list -p /t$1; "$XSFS" ls -f /t$1; "$XSFS" mkdir /t/d$1
                    "$XSFS" chmod /t/d$1 n0 r1; "$XSFS" perms /t/d$1; "$XSFS" exists /t/d$1
                    "$XSFS" watch -n 1 /t/d$1; "$XSFS" rm -t /t$1; "$XSFS" exists --json /t$1
                }
                all ''; all /; "$XSFS" ls / | wc -l
                "$XSFS" ls // 2>/dev/null || echo refused
                """,
                prints: String(
                    repeating: """
                        /t/a: 1/
                        /t/b: 2
                        /t/a
                        /t/b
                        /t/a = "1/"
                        /t/b = "2"
                        n0,r1
                        /t/d
                        {
                          "/t": false
                        }

                        """,
                    count: 2
                ) + "2\nrefused\n"
            )
        }
    }

    @Test func aWatchOutlivesItsStore() async throws {
        try await Shell.use { shell in
            let first = try await TestStore.start(.served, in: shell)
            let tools = shell.adding(["XENSTORED_PATH": first.socket])
            let watch = try await tools.start("exec \"$XSFS\" watch -n 3 /t")
            let result = await Result(catching: {
                try await eventually("it watches") { tools.result(watch).output == "/t\n" }
                try await first.stop()
                let second = try await TestStore.start(.served, in: shell)
                let result = await Result(catching: {
                    try await eventually("it watches again") {
                        tools.result(watch).output == "/t\n/t\n"
                    }
                    try await tools.expect("xenstore-write /t/a 1")
                    #expect(try await watch.wait() == .exited(0))
                    #expect(tools.result(watch).output == "/t\n/t\n/t/a\n")
                })
                try await second.stop()
                try result.get()
            })
            watch.killGroup()
            try await first.stop()
            try result.get()
        }
    }

    @Test func mistakesAreToldInOneLine() async throws {
        try await withStore(.xenstored) { shell in
            for (command, status, reason) in [
                ("read /none", 1, "xsfs: cannot read /none: no such key (ENOENT)"),
                ("list /none", 1, "xsfs: cannot list /none: no such key (ENOENT)"),
                ("perms /none", 1, "xsfs: cannot get the permissions of /none: no such key"),
                ("rm /", 1, "xsfs: cannot remove /: the store does not take this (EINVAL)"),
                ("read /a.b", 1, "xsfs: cannot read /a.b: not a path of a store"),
                ("write /k", 1, "the key /k has no value"),
                ("write --stdin /a /b", 1, "with --stdin there is one key"),
                ("chmod /t r", 1, "'r' are no permissions"),
                ("watch -n -1 /t", 1, "-n"),
                ("control", 2, "<command>"),
                ("control nonsense", 3, "xsfs: cannot control the store"),
                ("read --socket $T/none /k", 1, "cannot connect to the socket"),
                ("read --socket a --device b /k", 1, "exclude each other"),
            ] {
                let result = try await shell.run("\"$XSFS\" \(command)")
                #expect(result.status == .exited(Int32(status)), "\(command): \(result)")
                #expect(result.errors.contains(reason), "\(command): \(result)")
                #expect(result.errors.hasPrefix("xsfs: ") && result.output.isEmpty)
            }
            try await shell.expect(
                "unset XENSTORED_PATH; \"$XSFS\" read /k",
                fails: "no xenstore found"
            )
        }
    }

    @Test func outputThatCannotGoAnywhere() async throws {
        try await withStore(.served) { shell in
            try await shell.expect(
                """
                for i in $(seq 20); do
                    "$XSFS" write $(seq -f "/t/$i-%04g some-text-that-fills-the-pipe" 200)
                done
                "$XSFS" ls -f / | head -n 1 >/dev/null; echo "${PIPESTATUS[0]}"
                "$XSFS" read /tool >/dev/full 2>$T/error; echo "$?"; cat $T/error
                """,
                prints: "141\n1\nxsfs: cannot write the output: No space left on device\n"
            )
        }
    }

    @Test func theNamesOfXensToolsAreTaken() async throws {
        try await withStore(.xenstored) { shell in
            try await shell.expect(
                """
                mkdir $T/bin
                for tool in read write list ls rm exists chmod watch control; do
                    ln -s "$XSFS" $T/bin/xenstore-$tool
                done
                PATH=$T/bin
                xenstore-write -s /t/a 1 && xenstore-read -s /t/a && xenstore-ls -f /t
                xenstore-chmod /t/a n0 r1 && xenstore-list -p /t && xenstore-watch -n 1 /t
                xenstore-rm /t && ! xenstore-exists /t && xenstore-control print x
                """,
                prints: "1\n/t/a = \"1\"\n/t/a\n/t\nOK\n"
            )
        }
    }

    @Test func everyCommandHasHelp() async throws {
        try await Shell.use { shell in
            let overview = try await shell.run("\"$XSFS\" --help")
            #expect(overview.status == .exited(0))
            for command in [
                "mount", "serve", "read", "write", "list", "ls", "mkdir", "rm", "exists", "perms",
                "chmod", "watch", "wait", "control",
            ] {
                #expect(overview.lines.contains { $0.hasPrefix("  \(command) ") }, "\(command)")
                let help = try await shell.run("\"$XSFS\" \(command) --help")
                let same = try await shell.run("\"$XSFS\" help \(command)")
                #expect(help.status == .exited(0) && help.output.contains("USAGE: xsfs"))
                #expect(help.output == same.output)
                guard !["mount", "serve"].contains(command) else { continue }
                #expect(help.output.contains("Status: 0"), "\(command) says not how it ends")
            }
        }
    }
}
