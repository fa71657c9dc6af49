import MountSupport
import Testing

/// The examples do what they say, as a guest and as domain 0 of a store of ours.
@Suite(.timeLimit(.minutes(10)))
struct ExampleTests {
    /// Gives the body shells of domain 0 and of the guest 5, each with its socket in `$S`.
    private func withGuest(
        _ body: (_ host: Shell, _ guest: Shell) async throws -> Void
    ) async throws {
        try await Shell.use { shell in
            let socket = shell.directory + "/guest"
            let store = try await TestStore.startServing(["--domain", "5=\(socket)"], in: shell)
            let host = shell.adding(["S": store.socket, "XENSTORED_PATH": store.socket])
            let guest = shell.adding(["S": socket, "XENSTORED_PATH": socket])
            let result = await Result(catching: {
                try await host.expect(
                    "xenstore-write /local/domain/5 '' && xenstore-chmod /local/domain/5 n5"
                )
                try await body(host, guest)
            })
            try await store.stop()
            try result.get()
        }
    }

    @Test func theGuestAgentAnswers() async throws {
        try await withGuest { host, guest in
            let agent = try await guest.start("exec \"${XSFS%/*}/guest-agent\" \"$S\"")
            try await eventually("it has published") {
                guest.result(agent).output == "published\n"
            }
            try await host.expect(
                "cd /; for key in attr/os/name control/feature-reboot data/updated; do"
                    + " xenstore-read /local/domain/5/$key; done",
                prints: "Linux\n1\n1\n"
            )
            for (request, answer) in [
                ("suspend", "asked to suspend\nback\n"), ("dance", "asked to dance\n"),
                ("poweroff", "asked to poweroff\n"),
            ] {
                let before = guest.result(agent).output
                try await host.expect("xenstore-write /local/domain/5/control/shutdown \(request)")
                try await eventually("it answers \(request)") {
                    guest.result(agent).output == before + answer
                }
            }
            #expect(try await agent.wait() == .exited(0))
            try await host.expect(
                """
                xenstore-read /local/domain/5/control/shutdown /local/domain/5/control/error
                """,
                prints: "\nunknown request: dance\n"
            )
        }
    }

    @Test(arguments: [["backend", "frontend"], ["frontend", "backend"]])
    func theHalvesOfADeviceFindEachOther(order: [String]) async throws {
        try await withGuest { host, guest in
            let program = "\"${XSFS%/*}/handshake\""
            try await host.expect("\(program) toolstack 5 \"$S\"", prints: "made\n")
            try await host.expect("mkfifo $T/input")
            var running: [String: ChildProcess] = [:]
            for role in order {
                let shell = role == "backend" ? host : guest
                running[role] = try await shell.start("exec \(program) \(role) 5 \"$S\" <>$T/input")
            }
            let backend = try #require(running["backend"])
            let frontend = try #require(running["frontend"])
            try await eventually("they are connected") {
                guest.result(frontend).output == "connected to a device of 1048576 bytes\n"
            }
            #expect(host.result(backend).output == "ring 768, event channel 9\n")
            try await host.expect(
                "xenstore-read /local/domain/5/device/example/0/state",
                prints: "4\n"
            )
            frontend.signal(9)
            _ = try await frontend.wait()
            // Another frontend takes its place, and ends as it should.
            let second = try await guest.run("\(program) frontend 5 \"$S\" </dev/null")
            #expect(second.output == "connected to a device of 1048576 bytes\nclosed\n")
            #expect(try await backend.wait() == .exited(0))
            #expect(host.result(backend).output == "ring 768, event channel 9\nclosed\n")
        }
    }
}
