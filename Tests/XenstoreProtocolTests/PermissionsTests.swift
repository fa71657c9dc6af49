import Testing
import XenstoreProtocol

/// Permissions in their two forms, and what they grant.
struct PermissionsTests {
    @Test(arguments: ["n0", "r1", "w2", "b65535", "n0,r1", "r0,b1,w2,n3", "n0,r1,w1"])
    func legal(text: String) throws {
        let permissions = try #require(Permissions(text: Array(text.utf8)))
        #expect(permissions.description == text)
        var payload: [UInt8] = []
        permissions.encode(into: &payload)
        #expect(payload == Array(text.utf8).map { $0 == 0x2C ? 0 : $0 } + [0])
        #expect(Permissions(payload: payload) == permissions)
    }

    @Test(arguments: [
        "", "n", "0", "x0", "N0", "n0,", ",n0", "n0,,r1", "n-", "n--1", "n+1", "n 1", "n0x", "nn0",
        "n0 ", "n0,r-", "n0,r1-",
    ])
    func illegal(text: String) {
        #expect(Permissions(text: Array(text.utf8)) == nil)
        let payload = Array(text.utf8).map { $0 == 0x2C ? 0 : $0 } + [0]
        #expect(Permissions(payload: payload) == nil)
    }

    /// What guests have the daemons keep never fails a reply, and stays as it was.
    @Test(arguments: [
        "n5,r-1", "n5,r99999999999", "n5,r9223372036854775807,w2", "n5,r-214748364",
        "n5,r4294967295,b3", "n-1,r5", "n99999999999", "b9223372036854775806,r0,r-1",
    ])
    func numbersThatAreNoDomains(text: String) throws {
        var permissions = try #require(Permissions(text: Array(text.utf8)))
        #expect(permissions.description == text)
        var payload: [UInt8] = []
        permissions.encode(into: &payload)
        #expect(payload == Array(text.utf8).map { $0 == 0x2C ? 0 : $0 } + [0])
        #expect(Permissions(payload: payload) == permissions)
        let domains = permissions.entriesOfDomains.map(\.domain)
        #expect(domains.allSatisfy { [0, 2, 3, 5].contains($0.rawValue) })
        #expect(permissions.access(of: DomainID(1)) == permissions.everyone)
        let entries = permissions.entries
        permissions.everyone = .read
        #expect(permissions.description == "r" + text.dropFirst())
        permissions.owner = DomainID(7)
        #expect(permissions.entries == entries)
        #expect(permissions.description.hasPrefix("r7"))
        #expect(permissions.allEntries.count == entries.count + 1)
    }

    @Test func aNumberBeyondAllIsTheGreatest() throws {
        let text = "n5,r\(UInt64.max),r-\(UInt64.max)"
        let permissions = try #require(Permissions(text: Array(text.utf8)))
        #expect(permissions.description == "n5,r\(Int64.max),r\(Int64.min)")
    }

    /// oxenstored shows its negative numbers as greater ones than it takes.
    @Test func whatOxenstoredShowsIsSentAsItTakesIt() throws {
        let shown = try #require(Permissions(text: Array("n5,r9223372036854775807,r3".utf8)))
        let path = try XenstorePath(bytes: Array("/a".utf8))
        let payload = Request.setPermissions(path, shown).payload
        #expect(payload == Array("/a\0n5\0r-1\0r3\0".utf8))
    }

    @Test func aPayloadEndsWithNul() {
        #expect(Permissions(payload: Array("n0".utf8)) == nil)
        #expect(Permissions(payload: [UInt8]()) == nil)
        #expect(Permissions(payload: Array("n007\0".utf8))?.owner == DomainID(7))
    }

    @Test func theFirstEntryForADomainCounts() throws {
        let permissions = try #require(Permissions(text: Array("r0,n1,w2,b2".utf8)))
        #expect(permissions.access(of: DomainID(0)) == [.read, .write])
        #expect(permissions.access(of: DomainID(1)) == [])
        #expect(permissions.access(of: DomainID(2)) == .write)
        #expect(permissions.access(of: DomainID(3)) == .read)
    }
}
