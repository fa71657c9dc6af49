import MountSupport
import TestSupport
import Testing
import XenstoreClient
import XenstoreProtocol

/// The client on our server and on both daemons of Xen.
@Suite(.timeLimit(.minutes(2)))
struct DaemonTests {
    private func withClients(
        _ kind: StoreKind,
        _ body: (Xenstore, Xenstore) async throws -> Void
    ) async throws {
        try await Shell.use { shell in
            let store = try await TestStore.start(kind, in: shell)
            let result = await Result(catching: {
                let place = store.socket
                let address = isDevice(place) ? StoreAddress.device(place) : .socket(place)
                let client = try await Xenstore(to: address)
                let other = try await Xenstore(to: address)
                try await body(client, other)
                await client.close()
                await other.close()
            })
            try await store.stop()
            try result.get()
        }
    }

    @Test(arguments: StoreKind.remote)
    func keysAndPermissions(kind: StoreKind) async throws {
        try await withClients(kind) { client, other in
            let bytes = [UInt8](0...255)
            try await client.write(bytes, to: "/t/bytes")
            try await client.writeMany((0..<50).map { (path: "/t/n/\($0)", value: $0) })
            try await client.makeDirectory("/t/empty")
            #expect(try await other.read("/t/bytes") == bytes)
            #expect(try await Set(other.directory("/t")) == ["bytes", "n", "empty"])
            #expect(try await other.readInteger("/t/n/49", as: UInt8.self) == 49)
            let permissions = Permissions(
                owner: DomainID(3),
                everyone: .read,
                entries: [PermissionEntry(DomainID(5), .write)]
            )
            try await client.setPermissions(permissions, of: "/t/bytes")
            #expect(try await other.permissions(of: "/t/bytes") == permissions)
            let tree = try await other.tree(at: "/t", permissions: true)
            #expect(tree.nodes.count == 54)
            let node = try #require(tree.nodes.first { $0.path == "/t/bytes" })
            #expect(try node.value.get() == bytes)
            #expect(try node.permissions?.get() == permissions)
            try await client.remove("/t")
            #expect(try await !other.exists("/t"))
            let error = await #expect(throws: ClientError.self) { try await other.read("/t") }
            #expect(error == ClientError(.read, path: "/t", .refused(.noEntry)))
        }
    }

    @Test(arguments: StoreKind.remote)
    func aDirectoryThatFitsNoMessage(kind: StoreKind) async throws {
        try await withClients(kind) { client, _ in
            let names = (0..<400).map { "child-with-a-long-name-\($0)" }
            try await client.writeMany(names.map { (path: "/t/\($0)", value: "") })
            guard !kind.isOxenstored || !GivenStore.isDevice else {
                // That of Xen 4.17 sends no parts, and the ring takes no more than a message.
                let error = await #expect(throws: ClientError.self) {
                    try await client.directory("/t")
                }
                #expect(error?.isUnsupported == true)
                return
            }
            #expect(try await Set(client.directory("/t")) == Set(names))
            let tree = try await client.tree(at: "/t")
            #expect(tree.nodes.count == 401)
            try await client.transaction { handle in
                let found = try await handle.directory("/t")
                #expect(found.count == 400)
            }
        }
    }

    @Test(arguments: StoreKind.remote)
    func transactions(kind: StoreKind) async throws {
        try await withClients(kind) { client, other in
            try await client.write(0, to: "/t/n")
            // Twenty tasks of two clients add one each.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    let one = number.isMultiple(of: 2) ? client : other
                    group.addTask {
                        try await one.transaction(.upTo(200)) { handle in
                            let value = try await handle.readInteger("/t/n")
                            try await handle.write(value + 1, to: "/t/n")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await client.readInteger("/t/n") == 20)
            let transaction = try await client.begin()
            try await transaction.write("x", to: "/t/n")
            #expect(try await other.readInteger("/t/n") == 20)
            transaction.rollback()
            #expect(try await client.readInteger("/t/n") == 20)
        }
    }

    /// C xenstored 4.20 has ENOMEM for this conflict.
    @Test(arguments: StoreKind.remote)
    func aGuestsKeyThatGoesTwice(kind: StoreKind) async throws {
        try await withClients(kind) { client, other in
            try await client.write("", to: "/t/theirs")
            try await client.setPermissions(Permissions(owner: DomainID(3)), of: "/t/theirs")
            let transaction = try await client.begin()
            try await transaction.remove("/t/theirs")
            try await other.remove("/t/theirs")
            if kind.isOxenstored {
                try await transaction.commit()
            } else {
                let error = await #expect(throws: ClientError.self) {
                    try await transaction.commit()
                }
                #expect(error?.isConflict == true, "\(String(describing: error))")
            }
            try await client.write("", to: "/t/theirs")
            try await client.setPermissions(Permissions(owner: DomainID(3)), of: "/t/theirs")
            var attempts = 0
            try await client.transaction { handle in
                attempts += 1
                if try await handle.exists("/t/theirs") { try await handle.remove("/t/theirs") }
                if attempts == 1 { try await other.remove("/t/theirs") }
            }
            #expect(attempts == 2 || kind.isOxenstored)
        }
    }

    @Test(arguments: StoreKind.remote)
    func watchesAndWaits(kind: StoreKind) async throws {
        try await withClients(kind) { client, other in
            // Daemons of 4.17 know no depth: the client sees to it.
            let stream = try await client.watch("/t", depth: 1)
            var events = stream.makeAsyncIterator()
            #expect(try await events.next() == "/t")
            try await other.write("", to: "/t/a")
            try await other.write("", to: "/t/a/too/deep")
            try await other.write("", to: "/t/b")
            var seen: [String] = []
            while let event = try await events.next() {
                seen.append(event.text)
                if event == "/t/b" { break }
            }
            #expect(Set(seen).isSubset(of: ["/t", "/t/a", "/t/b"]) && seen.contains("/t/a"))
            async let value = client.wait(forValueAt: "/t/w", timeout: .seconds(30)) {
                $0.count > 1
            }
            try await other.write("1", to: "/t/w")
            try await other.write("12", to: "/t/w")
            #expect(try await value == Array("12".utf8))
            async let gone: Void = client.wait(untilGone: "/t", timeout: .seconds(30))
            try await other.remove("/t")
            try await gone
            try await stream.end()
            try await client.resetWatches()
            #expect(try await client.exists("/"))
        }
    }

    @Test(arguments: StoreKind.remote)
    func aSuspensionAndWhatFollows(kind: StoreKind) async throws {
        try await withClients(kind) { client, other in
            var events = try await client.watch("/t").makeAsyncIterator()
            #expect(try await events.next() == "/t")
            let transaction = try await client.begin()
            try await client.suspend()
            try await other.write("", to: "/t/meanwhile")
            async let value: Void = client.write("later", to: "/t/k")
            try await client.resume()
            try await value
            #expect(try await events.next() == "/t")
            #expect(try await other.readText("/t/k") == "later")
            let error = await #expect(throws: ClientError.self) {
                try await transaction.write("", to: "/t/x")
            }
            #expect(error?.isConflict == true)
        }
    }

    @Test(arguments: StoreKind.remote)
    func theServerItself(kind: StoreKind) async throws {
        try await withClients(kind) { client, _ in
            let path = try await client.domainPath(of: DomainID(7))
            #expect(path == "/local/domain/7")
            #expect(try await client.ownDomain() == .privileged)
            #expect(try await client.isIntroduced(.privileged))
            #expect(try await !client.isIntroduced(DomainID(7)))
            let help = try await client.control(["help"])
            #expect(kind.isOxenstored || help.contains("help"))
            guard kind != .served else {
                #expect(try await client.quotaNames().contains("nodes"))
                try await client.setQuota("nodes", of: DomainID(7), to: 17)
                #expect(try await client.quota("nodes", of: DomainID(7)) == 17)
                return
            }
            // Those of Xen 4.17 know neither features nor quotas by name.
            for operation in [
                { @Sendable in _ = try await client.features() },
                { @Sendable in _ = try await client.quotaNames() },
                { @Sendable in try await client.restrict(to: DomainID(7)) },
            ] {
                let error = await #expect(throws: ClientError.self) { try await operation() }
                #expect(error?.isUnsupported == true, "\(String(describing: error))")
            }
        }
    }
}
