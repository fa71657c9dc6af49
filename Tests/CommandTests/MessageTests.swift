import MountSupport
import Testing

/// Whatever names, values and arguments hold: a message is one line of text.
@Suite(.timeLimit(.minutes(5)))
struct MessageTests {
    /// A line that passes for another, a colour, a title of the terminal, a reversed order.
    private static let evil = #"$'a\nxsfs: done\e[31m\e]0;t\a\x7f\xe2\x80\xae\xc2\x9bz'"#
    private static let shown = #"a\nxsfs: done\x1b[31m\x1b]0;t\x07\x7f\u{202e}\u{9b}z"#

    @Test(arguments: [
        "read /$E", "read --json /k/$E", "write /k/$E 1", "list --socket \"$T/$E\" /k",
        "ls --device \"$T/$E\" /k", "wait \"$E=1\"", "chmod /k $E", "control $E", "watch \"--x$E\"",
        "read --timeout=$E /k", "transaction \"$T/$E\" -- true", "transaction $T -- \"$T/$E\"",
        "serve --listen \"$T/no/$E\"", "serve --listen $T/s --load \"$T/$E\"",
        "--embedded \"$T/$E\"", "--embedded -o \"$E\" $T", "--embedded -o \"uid=$E\" $T",
        "--embedded -o \"subtree=/$E\" $T", "--embedded --load \"$T/$E\" $T", "rea$E $T",
        "--embedded $T \"$E\"", "-x$E", "--socket \"$T/$E\" ls -- \"$E\"",
    ])
    func anArgumentIsShownInOneLine(arguments: String) async throws {
        try await withStore(.xenstored) { shell in
            let arguments = arguments.replacing("$E", with: "${E}")
            let result = try await shell.run("E=\(Self.evil); \"$XSFS\" \(arguments) </dev/null")
            #expect(result.status != .exited(0), "\(result)")
            let lines = result.errors.split(separator: "\n")
            #expect(lines.first?.hasPrefix("xsfs: ") == true, "\(result)")
            #expect(!lines.dropFirst().contains { $0.hasPrefix("xsfs: ") }, "\(result)")
            let isPlain = result.errors.unicodeScalars.allSatisfy { scalar in
                scalar == "\n" || scalar == "\t" || scalar.value >= 0x20 && scalar.value < 0x7f
            }
            #expect(isPlain && !result.output.contains("\u{1b}"), "\(result)")
        }
    }

    @Test func theWholeIsReadable() async throws {
        try await withStore(.xenstored) { shell in
            try await shell.expect(
                "E=\(Self.evil); \"$XSFS\" read \"/$E\"",
                fails: "xsfs: cannot read /\(Self.shown): not a path of a store"
            )
            try await shell.expect("\"$XSFS\" read /ä", fails: "xsfs: cannot read /ä: ")
        }
    }

    /// What is printed to standard output are data, as with Xen's tools.
    @Test func dataStayAsTheyAre() async throws {
        try await withStore(.xenstored) { shell in
            try await shell.expect(
                """
                printf 'a\\e[1m\\nb' | "$XSFS" write --stdin /t && "$XSFS" read -R /t | od -An -c
                """,
                prints: "   a 033   [   1   m  \\n   b\n"
            )
        }
    }

    @Test func aLogHasOneLineForEachMessage() async throws {
        try await Shell.use { shell in
            let store = try await TestStore.startServing([], in: shell)
            let tools = shell.adding(["S": store.socket])
            let result = await Result(catching: {
                try await tools.expect(
                    """
                    E=\(Self.evil); "$XSFS" control --socket $S print "$E"
                    "$XSFS" control --socket $S logfile $T/file
                    "$XSFS" control --socket $S "$E" 2>/dev/null; ! grep -q $'[\\x01-\\x1f]' $T/file
                    """,
                    prints: "OK\nOK\n"
                )
                let log = readFile(store.process.errors) ?? ""
                #expect(log == "xsfs: control: \(Self.shown)\n")
            })
            try await store.stop()
            try result.get()
        }
    }
}
