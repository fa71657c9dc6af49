import TestSupport
import Testing
import XenstoreClient
import XenstoreProtocol

extension NameTests {
    /// `Xs_client_lwt.S`, in its order.
    static let ocamlNames = [
        "make", "suspend", "resume", "immediate", "transaction", "wait", "directory", "read",
        "write", "rm", "mkdir", "setperms", "debug", "restrict", "getdomainpath", "watch",
        "unwatch", "introduce", "set_target",
    ]

    static let ocaml: [String: Demonstration] = ocamlClient.merging(ocamlHandle) { $1 }

    private static let ocamlClient: [String: Demonstration] = [
        "make": { at in
            let address = at.address
            let client = try await Xenstore(to: address)
            #expect(try await client.exists("/"))
        },
        "suspend": { at in
            let client = at.client
            var events = try await client.watch("/k").makeAsyncIterator()
            #expect(try await events.next() == "/k")
            try await client.suspend()
            // New requests are queued, and watches deliver nothing.
            async let written: Void = client.write("v", to: "/k")
            try await at.other.write("other", to: "/k/below")
            #expect(try await at.other.readText("/k") == "")
            try await client.resume()
            try await written
            #expect(try await at.other.readText("/k") == "v")
        },
        "resume": { at in
            let client = at.client
            var events = try await client.watch("/k").makeAsyncIterator()
            #expect(try await events.next() == "/k")
            try await client.suspend()
            try await client.resume()
            #expect(try await client.exists("/"))
            #expect(try await events.next() == "/k")
        },
        "immediate": { at in
            let client = at.client
            let handle = client.immediate
            try await handle.write("1", to: "/k")
            #expect(!handle.isInTransaction)
            #expect(try await at.other.readText("/k") == "1")
        },
        "transaction": { at in
            let client = at.client
            var count = 0
            try await client.transaction(.upTo(5)) { handle in
                count += 1
                #expect(handle.isInTransaction)
                let old = try? await handle.readText("/k")
                if count == 1 { try await at.other.write("other", to: "/k") }
                try await handle.write("after \(old ?? "nothing")", to: "/k")
            }
            // On conflict the operation is repeated.
            #expect(count == 2)
            #expect(try await client.readText("/k") == "after other")
        },
        "wait": { at in
            let client = at.client
            let values = Recorder<String>()
            async let found: String = client.wait(timeout: .seconds(20)) { handle in
                let first = try? await handle.readText("/a")
                values.note(first ?? "none")
                guard first == "go" else { throw ConditionNotMet() }
                return try await handle.readText("/b")
            }
            // Re-evaluated when what the closure read changes, and only then.
            while values.all.isEmpty { await Task.yield() }
            try await at.other.write("ready", to: "/b")
            try await at.other.write("go", to: "/a")
            #expect(try await found == "ready")
            #expect(values.all.first == "none" && values.all.last == "go")
            let error = await #expect(throws: ClientError.self) {
                try await client.wait(timeout: .milliseconds(20)) { handle in
                    _ = try await handle.read("/a")
                    throw ClientError(.read, .refused(.again))
                }
            }
            #expect(error?.reason == .timedOut)
        },
        "watch": { at in
            let (client, path, token) = (at.client, "/k", "mine")
            let stream = try await client.watch(path, token: token)
            var events = stream.makeAsyncIterator()
            #expect(try await events.next() == "/k")
            try await at.other.write("v", to: "/k/below")
            #expect(try await events.next() == "/k/below")
            #expect(stream.token == "mine")
        },
        "unwatch": { at in
            let stream = try await at.client.watch("/k")
            var events = stream.makeAsyncIterator()
            #expect(try await events.next() == "/k")
            try await stream.end()
            try await at.other.write("v", to: "/k")
            #expect(try await events.next() == nil)
        },
    ]

    private static let ocamlHandle: [String: Demonstration] = [
        "directory": { at in
            let (handle, path) = (at.handle, "/k")
            try await handle.write("1", to: "/k/a")
            try await handle.write("2", to: "/k/b")
            #expect(try await handle.directory(path) == ["a", "b"])
        },
        "read": { at in
            let (handle, path) = (at.handle, "/k")
            let error = await #expect(throws: ClientError.self) { try await handle.read(path) }
            #expect(error?.code == .noEntry)
            try await at.other.write("v", to: path)
            #expect(try await handle.readText(path) == "v")
            #expect(try await handle.read(path) == [UInt8(ascii: "v")])
        },
        "write": { at in
            let (handle, path, value) = (at.handle, "/k", "v")
            try await handle.write(value, to: path)
            #expect(try await at.other.readText(path) == value)
        },
        "rm": { at in
            let (handle, path) = (at.handle, "/k")
            try await handle.write("v", to: "/k/below")
            try await handle.remove(path)
            #expect(try await !handle.exists(path))
        },
        "mkdir": { at in
            let (handle, path) = (at.handle, "/k")
            try await handle.makeDirectory(path)
            #expect(try await handle.read(path) == [])
        },
        "setperms": { at in
            let (handle, path) = (at.handle, "/k")
            let permissions = Permissions(
                owner: DomainID(3),
                everyone: .read,
                entries: [PermissionEntry(DomainID(5), [.read, .write])]
            )
            try await handle.makeDirectory(path)
            try await handle.setPermissions(permissions, of: path)
            #expect(try await handle.permissions(of: path) == permissions)
        },
        "debug": { at in
            let handle = at.handle
            let answer = try await handle.control(["help"])
            #expect(answer.contains("help"))
        },
        "restrict": { at in
            let (handle, domain) = (at.handle, DomainID(5))
            try await handle.write("v", to: "/secret")
            try await handle.restrict(to: domain)
            let error = await #expect(throws: ClientError.self) {
                try await handle.read("/secret")
            }
            #expect(error?.code == .accessDenied)
        },
        "getdomainpath": { at in
            let (handle, domain) = (at.handle, DomainID(7))
            let path = try await handle.domainPath(of: domain)
            #expect(path == "/local/domain/7")
        },
        "introduce": { at in
            let (handle, domain, frame, port) = (at.handle, DomainID(7), Int64(4711), UInt32(1))
            #expect(try await !handle.isIntroduced(domain))
            try await handle.introduce(domain, frame: frame, eventChannel: port)
            #expect(try await handle.isIntroduced(domain))
        },
        "set_target": { at in
            let (handle, stub, domain) = (at.handle, DomainID(8), DomainID(7))
            for each in [stub, domain] {
                try await handle.introduce(each, frame: 1, eventChannel: 1)
            }
            try await handle.setTarget(of: stub, to: domain)
            // The stub domain may then do what its target may.
            try await handle.write("v", to: "/k")
            try await handle.setPermissions(Permissions(owner: domain), of: "/k")
            try await at.other.restrict(to: stub)
            #expect(try await at.other.readText("/k") == "v")
        },
    ]
}
