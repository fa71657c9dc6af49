import MountSupport
import TestSupport
import Testing
import XenstoreProtocol

/// A state file that is not as `xsfs serve` left it: it is refused, and nothing of it is lost.
@Suite(.timeLimit(.minutes(3)))
struct DamagedStateTests {
    /// A state with a snapshot and records behind it.
    private func withFilledState(_ body: (State) async throws -> Void) async throws {
        try await withState { state in
            try await state.serve { server in
                try await server.expect("xenstore-write /first 1 /first/a 2", prints: "")
            }
            try await state.serve { server in
                let client = try server.connect()
                for number in 0..<20 {
                    let text = "/key/\(number)\0value \(number)"
                    try client.send(Message(.write, payload: Array(text.utf8)))
                    try #require(try client.receive()?.type == .write)
                }
            }
            try await state.expect("cp state good", prints: "")
            try await body(state)
        }
    }

    /// Starts a server that must refuse the file, and leave it as it is.
    private func expectRefused(_ state: State, _ place: String) async throws {
        let result = try await state.shell.run(
            """
            cd $T; cp state before
            "$XSFS" serve --listen $T/s --state $T/state; echo $?
            cmp state before && ls | grep -v -e command -e broken
            """
        )
        #expect(
            result.errors.hasPrefix("xsfs: \(state.shell.directory)/state is damaged at byte "),
            "\(place): \(result)"
        )
        #expect(result.output == "1\nbefore\ngood\nstate\nstore\n", "\(place): \(result)")
    }

    @Test func aWrongBitIsRefusedWhereverItIs() async throws {
        try await withFilledState { state in
            let size = try await state.size()
            // The last record has 37 bytes, of which 12 are its head.
            let last = Array(stride(from: size - 37, to: size, by: 3)) + [size - 1]
            for place in Array(stride(from: 13, to: size - 37, by: 601)) + [size - 100] + last {
                let script = """
                    import sys
                    b = bytearray(open("good", "rb").read()); b[\(place)] ^= 1
                    open("state", "wb").write(b)
                    """
                try await state.expect("python3 -c '\(script)'", prints: "")
                try await expectRefused(state, "bit at \(place)")
            }
        }
    }

    @Test func zerosInTheMiddleAreRefused() async throws {
        try await withFilledState { state in
            try await state.expect(
                "dd if=/dev/zero of=state bs=1 seek=200 count=300 conv=notrunc status=none",
                prints: ""
            )
            try await expectRefused(state, "zeros")
        }
    }

    /// What a machine may leave that died before the last write was on the disk.
    @Test func zerosAtTheEndAreLeftOut() async throws {
        try await withFilledState { state in
            try await state.expect("truncate -s +5000 state", prints: "")
            try await state.serve { server in
                try await server.expect("xenstore-read /key/19", prints: "value 19\n")
                let log = readFile(server.store.process.errors) ?? ""
                #expect(log.contains("left out 5000 bytes at the end"), "\(log)")
            }
        }
    }

    /// A file may get its new size before its data: then zeros take the place of what was not
    /// written, from the end of the file as it was or from the beginning of a sector on.
    @Test func aLastRecordThatWasNotAllWrittenIsLeftOut() async throws {
        try await withFilledState { state in
            let before = try await state.size()
            try await state.serve { server in
                try await server.expect("xenstore-write /last $(printf %01500d 7)", prints: "")
            }
            let whole = try await state.size()
            try await state.expect("mv state good", prints: "")
            let sector = (before / 512 + 2) * 512
            let cuts = [before + 1, before + 12, before + 13, before + 300, whole - 1]
            for (size, kept) in cuts.map({ ($0, $0) }) + [
                (whole, before), (whole, before + 6), (whole, before + 12), (whole, sector),
            ] {
                try await state.expect(
                    "head -c \(kept) good >state; truncate -s \(size) state",
                    prints: ""
                )
                try await state.serve { server in
                    try await server.expect(
                        "xenstore-read /key/19; xenstore-exists /last || echo no",
                        prints: "value 19\nno\n"
                    )
                    let log = readFile(server.store.process.errors) ?? ""
                    #expect(
                        log.contains("left out \(size - before) bytes at the end"),
                        "\(kept) of \(size): \(log)"
                    )
                }
            }
            try await state.expect("head -c \(sector - 9) good >state", prints: "")
            try await state.expect("truncate -s \(sector) state; cat good >>state", prints: "")
            try await expectRefused(state, "zeros before data")
        }
    }

    /// An empty store is not what was in it.
    @Test(arguments: [0, 5, 13, 21, 40, 100])
    func aFileThatIsCutInItsSnapshotIsRefused(size: Int) async throws {
        try await withFilledState { state in
            try await state.expect("truncate -s \(size) state", prints: "")
            try await expectRefused(state, "cut at \(size)")
        }
    }

    @Test func repairingKeepsTheOriginalAndWhatIsWhole() async throws {
        try await withFilledState { state in
            let script = """
                b = bytearray(open("good", "rb").read()); b[b.index(b"value 7")] ^= 1
                open("state", "wb").write(b)
                """
            try await state.expect("python3 -c '\(script)' && cp state broken", prints: "")
            try await expectRefused(state, "a record")
            try await state.serve(["--state-repair"]) { server in
                try await server.expect(
                    "xenstore-read /first /first/a /key/6 /key/8 /key/19; xenstore-exists /key/7 || echo no",
                    prints: "1\n2\nvalue 6\nvalue 8\nvalue 19\nno\n"
                )
            }
            try await state.expect("cmp broken state.damaged", prints: "")
            // And again, without.
            try await state.serve { server in
                try await server.expect("xenstore-read /key/19", prints: "value 19\n")
            }
        }
    }

    /// The nodes above those that are found are made, for the privileged domain alone.
    @Test func repairingWithoutTheSnapshotKeepsTheLog() async throws {
        try await withFilledState { state in
            let script = """
                b = bytearray(open("good", "rb").read()); b[60] ^= 1
                open("state", "wb").write(b)
                """
            try await state.expect("python3 -c '\(script)'; echo >state.damaged", prints: "")
            try await state.serve(["--state-repair"]) { server in
                try await server.expect(
                    "xenstore-read /key/0 /key/19; xenstore-ls -fp / | grep '^/key ='",
                    prints: "value 0\nvalue 19\n/key = \"\"   (n0)\n"
                )
            }
            try await state.expect(
                "stat -c %s state.damaged; test -s state.damaged-2",
                prints: "1\n"
            )
        }
    }

    @Test func repairingAnEmptyFileBeginsAnew() async throws {
        try await withState { state in
            try await state.expect("touch state", prints: "")
            try await state.serve(["--state-repair"]) { server in
                try await server.expect("xenstore-exists /local && echo yes", prints: "yes\n")
            }
        }
    }

    @Test func aStartThatFailsLeavesNoFile() async throws {
        try await withState { state in
            let result = try await state.shell.run(
                "cd $T; echo nonsense >text; \"$XSFS\" serve --listen s --state state --load text; ls | grep -v command"
            )
            #expect(result.output == "text\n")
            #expect(result.errors.contains("cannot load text: line 1"), "\(result)")
        }
    }

    /// A link that somebody has put where the snapshot is written.
    @Test func aPlantedLinkIsNotFollowed() async throws {
        try await withState { state in
            try await state.expect("echo mine >target; ln -s target state.new", prints: "")
            let value = String(repeating: "x", count: 3000)
            try await state.serve { server in
                try await state.expect("ln -s target state.new", prints: "")
                let client = try server.connect()
                for number in 0..<600 {
                    try client.send(Message(.write, payload: Array("/k\0\(number)\(value)".utf8)))
                    try #require(try client.receive()?.type == .write)
                }
            }
            #expect(try await state.size() < 1 << 20, "it was replaced")
            try await state.expect(
                "cat target; test -e state.new || stat -c %F state",
                prints: "mine\nregular file\n"
            )
        }
    }

    /// The log is measured by the snapshot, however often the server starts.
    @Test func theLogDoesNotGrowWithRestarts() async throws {
        try await withState { state in
            let value = String(repeating: "x", count: 3000)
            for _ in 0..<4 {
                try await state.serve { server in
                    let client = try server.connect()
                    for number in 0..<400 {
                        let text = "/k\0\(number)\(value)"
                        try client.send(Message(.write, payload: Array(text.utf8)))
                        try #require(try client.receive()?.type == .write)
                    }
                }
                #expect(try await state.size() < 2 << 20)
            }
        }
    }

    /// Files of the form before this one have no mark at the end of the snapshot.
    @Test func theFirstFormIsRead() async throws {
        try await withState { state in
            let script = """
                import struct, zlib
                text = lambda t: struct.pack("<I", len(t)) + t
                key = lambda k, v: b"\\1" + text(k) + text(v) + struct.pack("<IIB", 0, 5, 1)
                frame = lambda r: struct.pack("<II", len(r), zlib.crc32(r)) + r
                records = [b"\\10" + key(b"/a", b"one"), key(b"/a/b", b"two"), key(b"/c", b"three")]
                open("state", "wb").write(b"xsfs state 1\\n" + b"".join(map(frame, records)))
                """
            try await state.expect(
                "cat >make.py <<'E'\n\(script)\nE\npython3 make.py; cp state good",
                prints: ""
            )
            for _ in 0..<2 {
                try await state.serve { server in
                    try await server.expect(
                        "xenstore-ls -fp /",
                        prints: """
                            /a = "one"   (r5)
                            /a/b = "two"   (r5)
                            /c = "three"   (r5)

                            """
                    )
                }
            }
            try await state.expect("rm make.py; cp good state; truncate -s -3 state", prints: "")
            try await state.serve { server in
                try await server.expect("xenstore-list /", prints: "a\n")
            }
            try await state.expect(
                "cp good state; printf x | dd of=state bs=1 seek=36 conv=notrunc status=none",
                prints: ""
            )
            try await expectRefused(state, "the first form")
        }
    }
}
