import MountSupport
import TestSupport
import Testing

/// What the commands have in common with Xen's tools is the same: output, status, and what is in
/// the store afterwards.
@Suite(.timeLimit(.minutes(10)))
struct SameAsXenTests {
    private static let tree = """
        X write /t/a one /t/b 'tab\\tnewline\\nback\\\\slash\\x00\\xff"\\x1f\\x7f' /t/c ''
        X write /t/c/d/e deep /t/c/d/f "$(printf 'x%.0s' $(seq 200))"
        X write /t/this-is-a-name-that-alone-fills-most-of-a-line-of-eighty-columns/below 1
        X write /t/c/d/a-long-value "$(printf '\\\\x01%.0s' $(seq 70))" /t/a/number -- -5
        xenstore-chmod /t/c/d n0 r1 w2 b3

        """

    private static let scripts = [
        "X read /t/a; echo $?",
        "X read -p /t/a /t/b; echo $?",
        "X read -R /t/b | od -c; X read -Rp /t/b /t/a | od -c; echo ${PIPESTATUS[0]}",
        "X read /t/a /t/none /t/c 2>/dev/null; echo $?",
        "X read /t/b /t/il.legal 2>/dev/null; echo $?",
        "X read /t/a /t/b -p; X read --prefix --raw /t/a; echo $?",
        "X read 2>/dev/null; echo $?",
        "X list /t /t/c/d; echo $?; X list -p /t/c; X list /t/a; echo $?",
        "X list /t /t/none /t/c 2>/dev/null; echo $?",
        "X ls -f /t; echo $?",
        "X ls -fp /t /t/c; echo $?",
        "X ls /t; echo $?",
        "X ls -p /t; echo $?",
        "X ls /t/none 2>/dev/null; echo $?; X ls // 2>/dev/null; echo $?",
        "X exists /t/a; echo $?; X exists /t/a /t/none /t/b; echo $?; X exists /t/a /t/b; echo $?",
        "X exists /t//a; echo $?; X exists 2>/dev/null; echo $?",
        "X write /t/n 1 /t/n/m; echo $?",
        "X write /t/n 1 /t/il.legal 2 2>/dev/null; echo $?",
        "X write /t/n '\\101\\1\\x4g\\q\\' /t/c '' ; X write -R /t/r 'a\\tb'; echo $?",
        "X rm /t/a /t/c/d; echo $?; X rm /t/none; echo $?; X rm /t/no/ne 2>/dev/null; echo $?",
        "X rm /t/c/d/e /t/none/x 2>/dev/null; echo $?",
        "X write /t/p/q/r/s 1; X rm -t /t/p/q/r/s; echo $?; X rm -t /t/c/d/e; echo $?",
        "X chmod /t/a n0 r1 b2; echo $?; X chmod -r /t/c r0 w5; echo $?",
        "X chmod -u /t/c/d/e b0; echo $?; X chmod -ur /t/c n1 r2; echo $?",
        "X chmod /t/a x1 2>/dev/null; echo $?; X chmod /t/none n0 2>/dev/null; echo $?",
        "X chmod /t/a 2>/dev/null; echo $?",
    ]

    @Test(arguments: StoreKind.remote)
    func whatIsPrintedAndDone(kind: StoreKind) async throws {
        try await withStore(kind) { shell in
            for script in Self.scripts {
                let output = try await shell.expectSame(Self.tree + script)
                #expect(output.contains("/t/c"), "the tree is not there: \(output)")
            }
        }
    }

    @Test func theTreeIsCutToTheTerminal() async throws {
        try await withStore(.xenstored) { shell in
            for columns in [8, 20, 41, 80, 100] {
                // With a terminal of so many columns.
                let output = try await shell.expectSame(
                    Self.tree + """
                        {
                            echo 'stty cols \(columns)'
                            declare -f X
                            echo 'X ls /t; X ls -p /t'
                        } >$T/listing
                        script -qec "bash $T/listing" /dev/null
                        """
                )
                #expect(output.contains("= \"deep\""), "\(output)")
            }
        }
    }

    @Test(arguments: [StoreKind.xenstored, .oxenstored])
    func control(kind: StoreKind) async throws {
        try await withStore(kind) { shell in
            try await shell.expectSame(
                """
                for command in help 'quota 1' 'print a b' nonsense ''; do
                    X control $command 2>/dev/null
                    echo "$command: $?"
                done
                xenstore-write /t/a 1
                """
            )
        }
    }

    @Test func relativePathsAndTheRoot() async throws {
        try await withStore(.xenstored) { shell in
            try await shell.expectSame(
                """
                xenstore-write /local/domain/0/here/below v /t ''
                X read here/below; X list here; X list -p here; X ls -fp here; X ls here
                X write here/too w; X exists here/too; echo $?; X rm -t here/too; X ls -f here
                X ls; X ls -f
                """
            )
        }
    }

    @Test func anyBytesGoThere() async throws {
        try await withStore(.served) { shell in
            var random = SplitMix64(seed: 6)
            let pieces = [
                "\\", "x", "0", "1", "7", "9", "a", "f", "t", "n", "r", "g", " ", "\"", "é",
            ]
            let texts = (0..<60).map { _ in
                (0..<12).map { _ in pieces[Int(random.next() % UInt64(pieces.count))] }.joined()
            }
            // What scanf(3) takes for a number after `\x` beyond two digits is not taken here.
            let arguments = texts.filter { !$0.contains("\\x ") && !$0.contains("\\x0x") }
                .enumerated().map { "/t/\($0.offset) '\($0.element)'" }
            try #require(arguments.count > 40)
            let script = "X write \(arguments.joined(separator: " ")); echo $?"
            let output = try await shell.expectSame(script + "; X ls -f /t; X read /t/1 /t/2")
            #expect(output.contains("\\x"))
        }
    }

    @Test func aGuestSeesWhatItMay() async throws {
        try await Shell.use { shell in
            let guest = shell.directory + "/guest"
            let store = try await TestStore.startServing(["--domain", "5=\(guest)"], in: shell)
            let result = await Result(catching: {
                let host = shell.adding(["XENSTORED_PATH": store.socket])
                try await host.expect(
                    """
                    xenstore-write /t/open/a 1 /t/open/secret 2 /t/shut/b 3 /t/open/z 4
                    xenstore-chmod /t n0 r5; xenstore-chmod -r /t/open n0 r5
                    xenstore-chmod /t/open/secret n0
                    """
                )
                let tools = shell.adding(["XENSTORED_PATH": guest])
                let xen = try await tools.run("xenstore-ls -f /t")
                let ours = try await tools.run("\"$XSFS\" ls -f /t")
                // Where the tool ends at the first that it may not list, ours goes on.
                #expect(ours.output.hasPrefix(xen.output), "\(xen)\n\(ours)")
                #expect(ours.lines.contains("/t/open/z = \"4\""))
                #expect(ours.status == xen.status && ours.status == .exited(1))
                #expect(ours.errors.contains("cannot list /t/shut: permission denied (EACCES)"))
            })
            try await store.stop()
            try result.get()
        }
    }

    @Test(arguments: StoreKind.remote)
    func watch(kind: StoreKind) async throws {
        try await withStore(kind) { shell in
            var watches: [ChildProcess] = []
            for toolbox in Toolbox.allCases {
                watches.append(
                    try await shell.start(toolbox.definition + "X watch -n 5 /t /u; echo $?")
                )
            }
            let steps = ["/t", "/u", "/t/a", "/t/b/c", "/u"]
            var expected = ""
            for (index, step) in steps.enumerated() {
                // The first events come by themselves.
                if index > 1 { try await shell.expect("xenstore-write \(step) \(index)") }
                if index > 0 { expected = steps[...index].map { $0 + "\n" }.joined() }
                if index == steps.count - 1 { expected += "0\n" }
                for watch in watches {
                    try await eventually("\(watch.command) has seen \(step)") {
                        shell.result(watch).output.hasPrefix(expected)
                    }
                }
            }
            for watch in watches {
                #expect(try await watch.wait() == .exited(0))
                #expect(shell.result(watch).output == expected)
            }
        }
    }
}
