import Glibc
import MountSupport
import TestSupport
import Testing
import XenstoreProtocol

/// `xsfs serve --state` keeps what it has acknowledged.
@Suite(.timeLimit(.minutes(2)))
struct StateTests {
    @Test func aRestartKeepsNodesAndPermissions() async throws {
        try await withState { state in
            let before = try await state.serve { server in
                try await server.expect(
                    "xenstore-write /a/b one /a/c '' && xenstore-chmod /a/b n5 r1 && xenstore-rm /vm",
                    prints: ""
                )
                return try await server.shell.run("xenstore-ls -fp /").output
            }
            try await state.serve { server in
                try await server.expect("xenstore-ls -fp /", prints: before)
                try await server.expect("xenstore-read /a/b", prints: "one\n")
            }
        }
    }

    /// Some clients write as fast as they can when the server is killed: what it answered is there.
    @Test(arguments: 0..<3) func nothingAcknowledgedIsLost(round: Int) async throws {
        try await withState { state in
            var acknowledged: [(path: String, value: String)] = []
            try await state.serve(endsWith: SIGKILL) { server in
                let clients = try (0..<4).map { _ in try server.connect() }
                for number in 0..<(200 + 37 * round) {
                    for (index, client) in clients.enumerated() {
                        let path = "/log/\(index)/\(number % 50)"
                        try client.send(Message(.write, payload: Array("\(path)\0\(number)".utf8)))
                        acknowledged.append((path, "\(number)"))
                    }
                    for client in clients {
                        try #require(try client.receive()?.type == .write)
                    }
                }
            }
            let last = Dictionary(acknowledged.map { ($0.path, $0.value) }) { $1 }
            try await state.serve { server in
                let client = try server.connect()
                for (path, value) in last {
                    try client.send(Message(.read, payload: Array("\(path)\0".utf8)))
                    #expect(try client.receive()?.payload == Array(value.utf8), "\(path)")
                }
            }
        }
    }

    @Test func aHalfWrittenRecordIsLeftOut() async throws {
        try await withState { state in
            try await state.serve { server in
                try await server.expect("xenstore-write /kept 1", prints: "")
            }
            let size = try await state.size()
            try await state.serve { server in
                try await server.expect("xenstore-write /torn 1", prints: "")
            }
            // Every place where the write of the last record may have stopped.
            let full = try await state.size()
            for cut in stride(from: full - 1, to: size, by: -7) {
                try await state.expect("truncate -s \(cut) state", prints: "")
                try await state.serve { server in
                    try await server.expect(
                        "xenstore-read /kept; xenstore-exists /torn || echo no",
                        prints: "1\nno\n"
                    )
                }
                #expect(try await state.size() == size)
                try await state.serve { server in
                    try await server.expect("xenstore-write /torn 1", prints: "")
                }
            }
        }
    }

    @Test func onlyOneProcessHasTheFile() async throws {
        try await withState { state in
            try await state.serve { server in
                let second = try await server.shell.run(
                    "\"$XSFS\" serve --listen $T/other --state $T/state"
                )
                #expect(second.status == .exited(1))
                #expect(second.errors.hasPrefix("xsfs: another process uses "))
                try server.expectAlive(try server.connect())
            }
        }
    }

    @Test func anotherFileIsRefusedAndLeftAlone() async throws {
        try await withState { state in
            let result = try await state.shell.run(
                "cd $T; echo mine >state; \"$XSFS\" serve --listen $T/s --state $T/state; cat state"
            )
            #expect(result.output == "mine\n")
            #expect(result.errors.hasSuffix("is no state\n"))
        }
    }

    /// The log is replaced by a snapshot while it grows, again and again.
    @Test func theLogDoesNotGrowForEver() async throws {
        try await withState { state in
            let value = String(repeating: "x", count: 3000)
            try await state.serve(endsWith: SIGKILL) { server in
                let client = try server.connect()
                for number in 0..<3000 {
                    let text = "/big/\(number % 10)\0\(number) \(value)"
                    try client.send(Message(.write, payload: Array(text.utf8)))
                    try #require(try client.receive()?.type == .write)
                }
            }
            #expect(try await state.size() < 2 << 20)
            try await state.serve { server in
                try await server.expect("xenstore-read /big/9 | cut -d ' ' -f 1", prints: "2999\n")
            }
        }
    }

    /// A snapshot whose name may not be on the disk is nothing to go on with: what was acknowledged
    /// from then on might be lost.
    @Test func aDirectoryThatCannotBeSyncedEndsTheServer() async throws {
        try await withState { state in
            try await state.expect(
                "cc -shared -fPIC -O2 -o failing.so \"$TOOLS/../StoreTools/failing-fsync.c\"",
                prints: ""
            )
            let directory = state.shell.directory
            let broken = State(
                shell: state.shell.adding([
                    "LD_PRELOAD": directory + "/failing.so",
                    "FAILING_FSYNC": directory + "/failing",
                ])
            )
            let value = String(repeating: "x", count: 3000)
            var acknowledged = -1
            let log = try await broken.serve { server in
                let client = try server.connect()
                try await state.expect("touch failing", prints: "")
                for number in 0..<3000 {
                    let text = "/big/\(number % 10)\0\(number) \(value)"
                    try client.send(Message(.write, payload: Array(text.utf8)))
                    guard try client.receive()?.type == .write else { break }
                    acknowledged = number
                }
                #expect(
                    try #require(await server.store.process.wait(upTo: .seconds(20))) == .exited(1)
                )
                return readFile(server.store.process.errors) ?? ""
            }
            #expect(
                log.hasSuffix(
                    "cannot sync the directory of \(directory)/state: Input/output error\n"
                )
            )
            #expect((100..<2999).contains(acknowledged), "the log grew until it was replaced")
            try await state.expect("rm failing", prints: "")
            try await state.serve { server in
                try await server.expect(
                    "xenstore-read /big/\(acknowledged % 10) | cut -d ' ' -f 1",
                    prints: "\(acknowledged)\n"
                )
            }
        }
    }
}

/// A state file, and servers one after the other that keep their store in it.
struct State {
    let shell: Shell

    @discardableResult
    func serve<Result>(
        _ arguments: [String] = [],
        endsWith signal: Int32 = SIGTERM,
        _ body: (Served) async throws -> Result
    ) async throws -> Result {
        try await withServing(
            ["--state", shell.directory + "/state"] + arguments,
            endsWith: signal,
            shell,
            body
        )
    }

    func size() async throws -> Int {
        try #require(Int(try await shell.run("stat -c %s $T/state").output.dropLast()))
    }

    func expect(_ script: String, prints output: String) async throws {
        let result = try await shell.run("cd $T; " + script)
        #expect(result.status == .exited(0) && result.output == output, "\(script): \(result)")
    }
}

func withState(_ body: (State) async throws -> Void) async throws {
    try await Shell.use { shell in try await body(State(shell: shell)) }
}
