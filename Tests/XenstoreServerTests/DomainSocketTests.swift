import MountSupport
import TestSupport
import Testing
import XenstoreProtocol

/// `xsfs serve --domain`: guests without Xen.
@Suite(.timeLimit(.minutes(2)))
struct DomainSocketTests {
    private func withGuest(_ body: (Served, Shell) async throws -> Void) async throws {
        try await Shell.use { shell in
            let guest = shell.directory + "/guest"
            try await withServing(["--domain", "5=\(guest)"], shell) { server in
                try await server.expect(
                    """
                    xenstore-write /local/domain/5 '' /secret s /public p
                    xenstore-chmod /local/domain/5 n5 && xenstore-chmod /public n0 r5
                    """,
                    prints: ""
                )
                try await body(server, shell.adding(["XENSTORED_PATH": guest]))
            }
        }
    }

    @Test func itHasTheRightsOfItsDomain() async throws {
        try await withGuest { _, guest in
            let result = try await guest.run(
                """
                xenstore-read /public
                xenstore-read /secret 2>/dev/null || echo denied
                xenstore-write /public x 2>/dev/null || echo denied
                xenstore-write data/key value && xenstore-read /local/domain/5/data/key
                xenstore-ls -fp /local/domain/5
                """
            )
            #expect(
                result.output == """
                    p
                    denied
                    denied
                    value
                    /local/domain/5/data = ""   (n5)
                    /local/domain/5/data/key = "value"   (n5)

                    """,
                "\(result)"
            )
        }
    }

    @Test func itsQuotasCount() async throws {
        try await withGuest { server, guest in
            let host = try server.connect()
            try host.send(Message(.control, payload: Array("quota\0set\0nodes\u{0}20\0".utf8)))
            #expect(try host.receive()?.type == .control)
            let result = try await guest.run(
                "for i in $(seq 30); do xenstore-write n/$i x 2>/dev/null || echo $i; done | head -1"
            )
            // Its home and the node above the others count.
            #expect(result.output == "19\n", "\(result)")
        }
    }

    @Test func itsSocketIsForTheUserAlone() async throws {
        try await withGuest { _, guest in
            let result = try await guest.run("stat -c '%F %a' $T/guest")
            #expect(result.output == "socket 600\n")
        }
    }

    /// Who waits for the main socket may connect to any at once.
    @Test func theMainSocketComesLast() async throws {
        try await Shell.use { shell in
            let result = try await shell.run(
                #"""
                cd $T; mkdir sockets
                inotifywait -m -e create,moved_to --format %f sockets >made 2>watching & watcher=$!
                until grep -q established watching; do sleep 0.01; done
                "$XSFS" serve --listen sockets/main --domain 5=sockets/5 --domain 6=sockets/6 &
                server=$!
                until grep -q -x main made && grep -q -x 6 made; do sleep 0.01; done
                kill $server; wait $server; kill $watcher; grep -x -e main -e 5 -e 6 made
                """#
            )
            #expect(result.output == "5\n6\nmain\n", "\(result)")
        }
    }

    @Test func aReleaseEndsItsConnections() async throws {
        try await withGuest { server, guest in
            let client = try SocketConversation(path: guest.directory + "/guest")
            try server.expectAlive(try server.connect())
            try client.send(Message(.isDomainIntroduced, payload: Array("5\0".utf8)))
            #expect(try client.receive()?.payload == Array("EACCES\0".utf8))
            let host = try server.connect()
            try host.send(Message(.isDomainIntroduced, payload: Array("5\0".utf8)))
            #expect(try host.receive()?.payload == Array("T\0".utf8))
            try host.send(Message(.release, payload: Array("5\0".utf8)))
            #expect(try host.receive()?.type == .release)
            #expect(try client.end())
            try await server.expect("xenstore-exists /local/domain/5 || echo no", prints: "no\n")
        }
    }

    @Test(arguments: ["0=s", "5", "5=", "=s", "x=s", "32752=s", "70000=s"])
    func whatIsNoDomain(text: String) async throws {
        try await Shell.use { shell in
            let result = try await shell.run("\"$XSFS\" serve --listen $T/s --domain '\(text)'")
            #expect(result.status == .exited(64))
            #expect(result.errors.contains("--domain"))
        }
    }
}
