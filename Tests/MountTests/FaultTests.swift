import Glibc
import MountSupport
import Testing

/// Stores that go away, talk nonsense, or say nothing: the mount lives on, nobody hangs, and all
/// works again without a new mount.
struct FaultTests {
    private static let tolerated = ["lost the", "could not", "closing"]

    @Test(arguments: StoreKind.remote)
    func aStoreThatIsStartedAgainIsFound(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(tolerated: Self.tolerated)) { mount in
            try await mount.expect("mkdir t && echo 1 > t/a && cat t/a", prints: "1\n")
            let store = try #require(mount.store)
            try await store.stop()
            for command in ["cat t/a", "ls t", "stat t/a", "echo 2 > t/a", "mkdir t/b", "ls"] {
                let clock = ContinuousClock()
                let start = clock.now
                try await mount.expect(command, fails: "Input/output error")
                // A store that is there and silent is given ten seconds.
                #expect(clock.now - start < .seconds(9), "\(command)")
            }
            let again = try await TestStore.start(kind, in: mount.shell)
            let result = await Result(catching: {
                try await eventually("the mount works again") {
                    try await mount.run("ls").output.contains("tool")
                }
                // It is another store now, and what was known of the old one is forgotten.
                try await mount.expect(
                    "[ ! -e t ] && mkdir t && echo 3 > t/a && cat t/a",
                    prints: "3\n"
                )
                try await mount.expect(
                    "xenstore-write /t/b 4 && ls t && cat t/b",
                    prints: "a\nb\n4\n"
                )
                // Watches were set again: shapes follow.
                try await mount.expect(
                    "xenstore-write /t/a/child 5; until cat t/a/child; do :; done 2>/dev/null",
                    prints: "5\n"
                )
                try await mount.expectSameAsStore()
            })
            try await again.stop()
            try result.get()
            #expect(mount.log.contains("lost the"))
        }
    }

    /// Whoever reads on after the end asks the store, as tail(1) does.
    @Test(arguments: StoreKind.remote)
    func readingOnAfterTheEndIsEIOWithoutAStore(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(tolerated: Self.tolerated)) { mount in
            try await mount.expect("mkdir t && echo 1 > t/a")
            let reader = try await mount.shell.start(
                """
                exec 3< t/a; cat <&3; echo > $T/read
                until [ -e $T/gone ]; do sleep 0.01; done; exec cat <&3
                """
            )
            try await eventually("it has read to the end") {
                readFile(mount.shell.directory + "/read") != nil
            }
            try await #require(mount.store).stop()
            try writeFile(mount.shell.directory + "/gone", "")
            #expect(try await reader.wait() == .exited(1))
            let result = mount.shell.result(reader)
            #expect(result.output == "1\n" && result.errors.contains("Input/output error"))
        }
    }

    @Test(arguments: ["garbage", "length", "large", "number", "close"])
    func nonsenseEndsTheConnectionAlone(fault: String) async throws {
        let settings = MountSettings(tolerated: Self.tolerated, usesProxy: true)
        try await withMount(.xenstored, settings) { mount in
            try await mount.expect("mkdir t && echo 1 > t/a")
            for command in ["cat t/a", "ls -l t", "mkdir t/b", "echo 2 > t/a"] {
                try await mount.expect("echo \(fault) > $T/proxy/fault")
                try await mount.expect(command, fails: "Input/output error")
                try await mount.expect("rm $T/proxy/fault")
                try await eventually("the mount works again") {
                    try await mount.run("ls t").output.contains("a\n")
                }
            }
            try await mount.expect("echo 3 > t/a; cat t/a", prints: "3\n")
            try await mount.expectSameAsStore()
            #expect(mount.daemon.status == nil)
        }
    }

    @Test(arguments: ["half", "silence"])
    func silenceIsEndured(fault: String) async throws {
        let settings = MountSettings(tolerated: Self.tolerated, usesProxy: true)
        try await withMount(.xenstored, settings) { mount in
            try await mount.expect("mkdir t && echo 1 > t/a && echo \(fault) > $T/proxy/fault")
            try await mount.expect("timeout 20 cat t/a", fails: "Input/output error")
            try await mount.expect("rm $T/proxy/fault")
            try await eventually("the mount works again") {
                try await mount.run("cat t/a").output == "1\n"
            }
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: StoreKind.remote)
    func whoWaitsForASilentStoreCanBeInterrupted(kind: StoreKind) async throws {
        try await withMount(kind, MountSettings(tolerated: Self.tolerated)) { mount in
            try await mount.expect("mkdir t && echo 1 > t/a")
            let store = try #require(mount.store)
            for signal in [SIGINT, SIGTERM, SIGKILL] {
                for command in ["cat t/a", "ls t", "echo 2 > t/a", "mkdir t/d"] {
                    store.process.signal(SIGSTOP)
                    // The shell becomes the program, so that it is the one that is signalled.
                    let process = try await mount.shell.start("exec bash -c '\(command)'")
                    try await eventually("it waits") {
                        try whereItWaits(process).contains("request_wait_answer")
                            || process.status != nil
                    }
                    process.signal(signal)
                    let status = try await process.wait()
                    store.process.signal(SIGCONT)
                    #expect(
                        status == .signalled(signal) || status == .exited(128 + signal),
                        "\(command): \(String(describing: status))"
                    )
                    _ = try await mount.run("rmdir t/d")
                    try await eventually("the mount works") {
                        try await mount.run("echo 1 > t/a && cat t/a").output == "1\n"
                    }
                }
            }
            try await mount.expectSameAsStore()
        }
    }

    @Test(arguments: [StoreKind.embedded, .served])
    func nonsenseOfAClientHurtsThatClientAlone(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                mkdir t && echo 1 > t/a
                python3 - "$S" <<'END'
                import random, socket, struct, sys
                random.seed(1)
                good = socket.socket(socket.AF_UNIX)
                good.connect(sys.argv[1])
                for number in range(200):
                    bad = socket.socket(socket.AF_UNIX)
                    bad.connect(sys.argv[1])
                    header = struct.pack("=IIII", random.randrange(30), 0, 0, 2 ** 31 + number)
                    data = [header, random.randbytes(200), b"", header[:7]][number % 4]
                    try:
                        bad.sendall(data)
                        if number % 4 == 0:
                            bad.settimeout(60)
                            assert bad.recv(100) == b"", "not closed"
                    except (ConnectionResetError, BrokenPipeError):
                        pass
                    bad.close()
                    good.sendall(struct.pack("=IIII", 2, number, 0, 5) + b"/t/a\\0")
                    answer = good.recv(100)
                    assert answer == struct.pack("=IIII", 2, number, 0, 1) + b"1", answer
                END
                cat t/a
                """,
                prints: "1\n"
            )
            try await mount.expectSameAsStore()
        }
    }
}

/// Where in the kernel a process waits.
private func whereItWaits(_ process: ChildProcess) throws -> String {
    readFile("/proc/\(process.id)/stack") ?? readFile("/proc/\(process.id)/wchan") ?? ""
}
