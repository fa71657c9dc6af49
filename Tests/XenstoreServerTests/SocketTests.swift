import Glibc
import MountSupport
import TestSupport
import Testing

/// The socket that the server makes, and takes away.
@Suite(.timeLimit(.minutes(2)))
struct SocketTests {
    @Test(arguments: [SIGTERM, SIGINT])
    func itEndsAndTakesTheSocketAway(signal: Int32) async throws {
        try await withServer { server in
            let client = try server.connect()
            try server.expectAlive(client)
            server.store.process.signal(signal)
            #expect(try await server.store.process.wait(upTo: .seconds(20)) == .exited(0))
            #expect(access(server.store.socket, F_OK) != 0)
            #expect(try client.end())
        }
    }

    @Test func theSocketIsForItsUserAlone() async throws {
        try await withServer { server in
            try await server.expect("stat -c '%F %a' $S", prints: "socket 600\n")
        }
    }

    @Test func aLiveSocketIsNotTaken() async throws {
        try await withServer { server in
            let result = try await server.shell.run("\"$XSFS\" serve --listen $S")
            #expect(result.status == .exited(1))
            #expect(result.errors.contains("cannot listen at \(server.store.socket)"))
            #expect(result.errors.lines == 1)
            try server.expectAlive(try server.connect())
        }
    }

    @Test func aDeadSocketIsReplaced() async throws {
        try await Shell.use { shell in
            let first = try await TestStore.start(.served, in: shell)
            try await first.stop()
            #expect(access(first.socket, F_OK) == 0)
            let second = try await TestStore.start(.served, in: shell)
            #expect(first.socket == second.socket)
            try await second.stop()
        }
    }

    @Test func anotherFileIsLeftAlone() async throws {
        try await Shell.use { shell in
            let result = try await shell.run(
                "echo mine >$T/file; \"$XSFS\" serve --listen $T/file; echo $?; cat $T/file"
            )
            #expect(result.output == "1\nmine\n")
            #expect(result.errors.contains("cannot listen at \(shell.directory)/file"))
            #expect(result.errors.lines == 1)
        }
    }
}

extension String {
    fileprivate var lines: Int { split(separator: "\n").count }
}
