import TestSupport
import Testing
import XenstoreClient
import XenstoreProtocol

extension NameTests {
    /// The module xenstore of LING, in the order of its manual.
    static let erlangNames = [
        "read/1", "read_integer/1", "write/2", "write/3", "list/1", "mkdir/1", "mkdir/2",
        "delete/1", "delete/2", "get_perms/1", "set_perms/2", "watch/1", "unwatch/1",
        "transaction/0", "commit/1", "rollback/1", "domid/0",
    ]

    static let erlang: [String: Demonstration] = [
        "read/1": { at in
            let (client, key) = (at.client, "/name")
            try await at.other.write("web", to: key)
            #expect(try await client.readText(key) == "web")
        },
        "read_integer/1": { at in
            let (client, key) = (at.client, "/n")
            try await at.other.write("-17", to: key)
            #expect(try await client.readInteger(key) == -17)
            try await at.other.write(UInt64.max, to: key)
            #expect(try await client.readInteger(key, as: UInt64.self) == .max)
            try await at.other.write("1x", to: key)
            let error = await #expect(throws: ClientError.self) {
                try await client.readInteger(key)
            }
            #expect(error?.reason == .notANumber)
        },
        "write/2": { at in
            let (client, key, value) = (at.client, "/n", 42)
            try await client.write(value, to: key)
            #expect(try await at.other.readText(key) == "42")
        },
        "write/3": { at in
            let (client, key, value) = (at.client, "/k", "v")
            let transaction = try await client.begin()
            try await transaction.write(value, to: key)
            #expect(try await !at.other.exists(key))
            try await transaction.commit()
            #expect(try await at.other.readText(key) == value)
        },
        "list/1": { at in
            let (client, key) = (at.client, "/k")
            try await at.other.write("v", to: "/k/below")
            #expect(try await client.directory(key) == ["below"])
        },
        "mkdir/1": { at in
            let (client, key) = (at.client, "/k")
            try await client.makeDirectory(key)
            #expect(try await at.other.exists(key))
        },
        "mkdir/2": { at in
            let (client, key) = (at.client, "/k")
            let transaction = try await client.begin()
            try await transaction.makeDirectory(key)
            #expect(try await !at.other.exists(key))
            try await transaction.commit()
            #expect(try await at.other.exists(key))
        },
        "delete/1": { at in
            let (client, key) = (at.client, "/k")
            try await client.write("v", to: key)
            try await client.remove(key)
            #expect(try await !at.other.exists(key))
        },
        "delete/2": { at in
            let (client, key) = (at.client, "/k")
            try await client.write("v", to: key)
            let transaction = try await client.begin()
            try await transaction.remove(key)
            #expect(try await at.other.exists(key))
            try await transaction.commit()
            #expect(try await !at.other.exists(key))
        },
        "get_perms/1": { at in
            let (client, key) = (at.client, "/k")
            try await client.makeDirectory(key)
            #expect(try await "\(client.permissions(of: key))" == "n0")
        },
        "set_perms/2": { at in
            let (client, key, domain) = (at.client, "/k", DomainID(24))
            let permissions = Permissions(owner: domain, everyone: .read)
            try await client.makeDirectory(key)
            try await client.setPermissions(permissions, of: key)
            #expect(try await "\(client.permissions(of: key))" == "r24")
        },
        "watch/1": { at in
            let (client, key) = (at.client, "/k")
            let stream = try await client.watch(key)
            try await at.other.remove(key)
            try await at.other.write("v", to: key)
            for try await path in stream {
                #expect(path == "/k")
                if try await client.exists(key) { break }
            }
        },
        "unwatch/1": { at in
            let stream = try await at.client.watch("/k")
            try await stream.end()
            for try await path in stream where path != "/k" { Issue.record("\(path)") }
        },
        "transaction/0": { at in
            let client = at.client
            do {
                let transaction = try await client.begin()
                try await transaction.write("lost", to: "/k")
            }
            // Dropped, and so rolled back.
            #expect(try await !client.exists("/k"))
        },
        "commit/1": { at in
            let transaction = try await at.client.begin()
            _ = try? await transaction.read("/k")
            try await at.other.write("other", to: "/k")
            try await transaction.write("mine", to: "/k")
            let error = await #expect(throws: ClientError.self) {
                try await transaction.commit()
            }
            #expect(error?.isConflict == true)
            #expect(try await at.other.readText("/k") == "other")
        },
        "rollback/1": { at in
            let transaction = try await at.client.begin()
            try await transaction.write("v", to: "/k")
            transaction.rollback()
            #expect(try await !at.client.exists("/k"))
            await #expect(throws: ClientError.self) { try await transaction.commit() }
        },
        "domid/0": { at in
            let client = at.client
            #expect(try await client.ownDomain() == .privileged)
            try await client.write(7, to: "domid")
            #expect(try await client.ownDomain() == DomainID(7))
        },
    ]
}
