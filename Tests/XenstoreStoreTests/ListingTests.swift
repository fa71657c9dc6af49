import TestSupport
import Testing
import XenstoreProtocol
import XenstoreStore

/// Filling a store from the text that `xenstore-ls` prints.
struct ListingTests {
    /// What Debian's `xenstore-ls -fp` printed of C xenstored.
    private static let printed = #"""
        /tool = ""   (n0)
        /tool/xenstored = ""   (n0)
        /a = ""   (n0)
        /a/q = "he said "x"   (n0)"   (n0)
        /a/raw = "x\\y\n\t\r\001\x7f\x80\xff"   (n0)
        /a/esc = "a\000b\001\\c\r"   (r1,b2)

        """#

    private func filled(_ text: String) throws -> StoreClient {
        let clients = StoreClients()
        clients.store.replaceContents(with: try StoreListing(parsing: text))
        return clients.client()
    }

    private func read(_ path: String, _ client: StoreClient) -> [UInt8]? {
        client.send(Message(.read, payload: Array(path.utf8) + [0]))?.payload
    }

    @Test func aListingIsPrintedAsItWasParsed() throws {
        let listing = try StoreListing(parsing: Self.printed)
        #expect(listing.text == Self.printed)
        let store = Store()
        store.replaceContents(with: listing)
        #expect(store.contents.text == Self.printed)
        #expect(store.contents == listing)
    }

    @Test func escapesAreBytes() throws {
        let client = try filled(Self.printed)
        #expect(read("/a/q", client) == Array(#"he said "x"   (n0)"#.utf8))
        #expect(read("/a/raw", client) == Array("x\\y\n\t\r".utf8) + [1, 0x7F, 0x80, 0xFF])
        #expect(read("/a/esc", client) == [0x61, 0, 0x62, 1, 0x5C, 0x63, 0x0D])
        #expect(client(.getPermissions("/a/esc")) == "r1|b2|")
    }

    @Test func allBytesSurvive() throws {
        let value = (0...255).map { UInt8($0) }
        let listing = StoreListing(entries: [.init(path: "/bytes", value: value)])
        #expect(try StoreListing(parsing: listing.text) == listing)
    }

    @Test func permissionsThatAreMissingAreInherited() throws {
        let client = try filled(
            """
            /dir = "x"   (n0,r3)
            /dir/a/b = "y"
            """
        )
        #expect(client(.getPermissions("/dir/a")) == "n0|r3|")
        #expect(client(.getPermissions("/dir/a/b")) == "n0|r3|")
        #expect(client(.read("/dir/a/b")) == "y")
        #expect(client(.directory("/")) == "dir|")
    }

    @Test func keysThatCouldNotBeReadKeepTheirPermissions() throws {
        let client = try filled("/a:\n  (n1,r2)\n/b:\n/c = \"\" \n")
        #expect(client(.directory("/")) == "a|b|c|")
        #expect(client(.getPermissions("/a")) == "n1|r2|")
        #expect(client(.getPermissions("/b")) == "n0|")
    }

    @Test(arguments: [
        (#"a = "x""#, 1, StoreListing.ParseError.Reason.path),
        (#"= "x""#, 1, .path),
        (#"/a = "x"\#n/b//c = "x""#, 2, .path),
        (#"/a = "x"\#n\#n/b"#, 3, .form),
        (#"/a "x""#, 1, .form),
        (#"/a = "x"#, 1, .quote),
        (#"/a = "\q""#, 1, .escape),
        (#"/a = "\x1""#, 1, .escape),
        (#"/a = "\x+1""#, 1, .escape),
        (#"/a = "\08""#, 1, .escape),
        (#"/a = "\400""#, 1, .escape),
        (#"/a = "\""#, 1, .escape),
        (#"/a = "x" n0"#, 1, .permissions),
        (#"/a = "x"   (q0)"#, 1, .permissions),
        (#"/a = "x"   ()"#, 1, .permissions),
        ("  (n0)", 1, .permissions),
    ])
    func errorsNameTheirLine(text: String, line: Int, reason: StoreListing.ParseError.Reason) {
        #expect(throws: StoreListing.ParseError(line: line, reason: reason)) {
            try StoreListing(parsing: text)
        }
    }

    @Test func aValueThatNoMessageHoldsIsRefused() {
        let value = String(repeating: "x", count: 4097)
        #expect(throws: StoreListing.ParseError.self) {
            try StoreListing(parsing: "/a = \"\(value)\"")
        }
    }

    @Test func replacingConflictsWithOpenTransactions() throws {
        let clients = StoreClients()
        let dom0 = clients.client()
        let transaction = dom0.begin()
        dom0(.read("/tool"), in: transaction)
        clients.store.replaceContents(with: try StoreListing(parsing: "/tool = \"\""))
        #expect(dom0(.transactionEnd(commit: true), in: transaction) == "EAGAIN")
        #expect(dom0(.control([Array("check".utf8)])) == "OK|")
    }

    @Test func theSampleIsItsOwnListing() {
        let clients = StoreClients(Store.sample())
        let dom0 = clients.client()
        #expect(clients.store.contents.text == SampleTree.text)
        #expect(dom0(.directory("/local/domain")) == "0|1|2|")
        #expect(dom0(.read("/local/domain/2/name")) == "database")
        #expect(dom0(.isDomainIntroduced(DomainID(2))) == "T|")
        let guest = clients.client(as: DomainID(1))
        #expect(guest(.read("name")) == "web")
        #expect(guest(.write("name", "x")) == "EACCES")
        #expect(guest(.write("data/mine", "x")) == "OK|")
        #expect(guest(.read("/local/domain/0/backend/vbd/1/51712/state")) == "4")
        #expect(guest(.read("/local/domain/0/backend/vbd/2/51712/state")) == "EACCES")
        #expect(guest(.read("/local/domain/2/name")) == "EACCES")
    }
}
