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
        "", "n", "0", "x0", "N0", "n0,", ",n0", "n0,,r1", "n-1", "n+1", "n 1", "n0x", "nn0",
        "n4294967296", "n0 ",
    ])
    func illegal(text: String) {
        #expect(Permissions(text: Array(text.utf8)) == nil)
        let payload = Array(text.utf8).map { $0 == 0x2C ? 0 : $0 } + [0]
        #expect(Permissions(payload: payload) == nil)
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
