import TestSupport
import Testing
import XenstoreClient
import XenstoreProtocol

/// What is made of several requests: listings and transactions.
@Suite(.timeLimit(.minutes(1)))
struct CompoundTests {
    /// Gives the body a client of a store that says what it is told to, for each request in turn,
    /// and then nothing. `!` begins an error, and `|` is a NUL.
    private func withReplies(
        _ replies: [String],
        seen: Recorder<String> = Recorder(),
        _ body: (SharedConnection) async throws -> Void
    ) async throws {
        let store = try FakeStore { peer in
            for reply in replies {
                let request = try peer.next()
                note(request, seen)
                if reply.hasPrefix("!") {
                    try peer.refuse(String(reply.dropFirst()), request)
                } else {
                    try peer.reply(reply.replacing("|", with: "\0"), to: request)
                }
            }
            while true { note(try peer.next(), seen) }
        }
        defer { store.end() }
        try await body(try await SharedConnection(to: .socket(store.path)))
    }

    @Sendable private func note(_ request: Message, _ seen: Recorder<String>) {
        let type = request.type.map { "\($0)" } ?? "?"
        let payload = String(decoding: request.payload.map { $0 == 0 ? 0x7C : $0 }, as: UTF8.self)
        seen.note("\(type) \(request.transactionID.rawValue) \(payload)")
    }

    @Test func aListingInParts() async throws {
        let seen = Recorder<String>()
        try await withReplies(["!E2BIG", "7|a|b|", "7|c|", "7||"], seen: seen) { client in
            let found = try await client.directory("/k")
            #expect(found == ["a", "b", "c"])
            #expect(
                seen.all == [
                    "directory 0 /k|", "directoryPart 0 /k|0|", "directoryPart 0 /k|4|",
                    "directoryPart 0 /k|6|",
                ]
            )
        }
    }

    @Test func aListingBeginsAgainWhenTheKeyChanges() async throws {
        let seen = Recorder<String>()
        try await withReplies(["!E2BIG", "7|a|b|", "8|d|", "8|a|c|", "8|e||"], seen: seen) {
            client in
            let found = try await client.directory("/k")
            #expect(found == ["a", "c", "e"])
            #expect(seen.all.last == "directoryPart 0 /k|4|")
            #expect(seen.all.filter { $0 == "directoryPart 0 /k|0|" }.count == 2)
        }
    }

    /// oxenstored of xapi sends a part that ends nowhere, where the offset is inside a name now.
    @Test func aPartOfAnotherGenerationNeedNoEnd() async throws {
        for part in ["8|d", "8|"] {
            try await withReplies(["!E2BIG", "7|a|b|", part, "8|a|", "8|c||"]) { client in
                let found = try await client.directory("/k")
                #expect(found == ["a", "c"])
            }
        }
    }

    @Test func aKeyThatChangesForEverIsGivenUp() async throws {
        let replies = (0..<200).map { "\($0)|a|" }
        try await withReplies(["!E2BIG"] + replies) { client in
            await #expect(throws: XenstoreError.refused(.again)) {
                try await client.directory("/k")
            }
        }
    }

    @Test func anOversizedListingIsTaken() async throws {
        let names = (0..<20_000).map { "name-\($0)" }
        let list = names.joined(separator: "|") + "|"
        try await withReplies([list]) { client in
            let found = try await client.directory("/k")
            #expect(found == names)
        }
    }

    @Test(arguments: ["a/b|", "..|", "a||b|", "a b|", "a", "ä|"])
    func aNameThatIsNoneIsRefused(list: String) async throws {
        try await withReplies([list]) { client in
            await #expect(throws: XenstoreError.malformedReply) { try await client.directory("/k") }
        }
    }

    @Test(arguments: ["", "7", "7|", "7|a", "7|a/b||"])
    func aPartThatIsNoneIsRefused(part: String) async throws {
        try await withReplies(["!E2BIG", part]) { client in
            await #expect(throws: XenstoreError.malformedReply) { try await client.directory("/k") }
        }
    }

    /// ENOMEM is how C xenstored 4.18 to 4.21 says some conflicts, and ENOENT that it does not know
    /// the transaction any more.
    @Test(arguments: ["EAGAIN", "ENOMEM", "ENOENT"])
    func aTransactionIsTriedSoManyTimes(conflict: String) async throws {
        let seen = Recorder<String>()
        let attempt = { (number: Int) in ["\(number)|", "OK|", "!\(conflict)"] }
        try await withReplies(attempt(1) + attempt(2) + attempt(3), seen: seen) { client in
            await #expect(throws: XenstoreError.refused(.again)) {
                try await client.transaction(attempts: 3) { transaction throws(XenstoreError) in
                    try await client.write([], to: "/k", in: transaction)
                    return .commit(())
                }
            }
            #expect(
                seen.all
                    == (1...3).flatMap {
                        ["transactionStart 0 |", "write \($0) /k|", "transactionEnd \($0) T|"]
                    }
            )
        }
    }

    @Test func anotherErrorOfACommitIsNoConflict() async throws {
        try await withReplies(["1|", "OK|", "!ENOSPC"]) { client in
            await #expect(throws: XenstoreError.refused(.noSpace)) {
                try await client.transaction(attempts: 3) { transaction throws(XenstoreError) in
                    try await client.write([], to: "/k", in: transaction)
                    return .commit(())
                }
            }
        }
    }

    /// As after a live update that was forced, which counts from 1 again.
    @Test func aTransactionWhoseNumberComesAgainIsLost() async throws {
        try await withReplies(["1|", "1|", "new"]) { client in
            let lost = try await client.startTransaction()
            let new = try await client.startTransaction()
            await #expect(throws: XenstoreError.refused(.again)) {
                try await client.read("/k", in: lost)
            }
            #expect(try await client.read("/k", in: new) == Array("new".utf8))
        }
    }

    @Test func aTransactionWhoseBodyFailsIsForgotten() async throws {
        let seen = Recorder<String>()
        try await withReplies(["5|", "!ENOENT", "OK|", "after"], seen: seen) { client in
            await #expect(throws: XenstoreError.refused(.noEntry)) {
                try await client.transaction(attempts: 3) { transaction throws(XenstoreError) in
                    .commit(try await client.read("/k", in: transaction))
                }
            }
            _ = try await client.read("/after")
            #expect(seen.all[2] == "transactionEnd 5 F|")
        }
    }

    /// C xenstored's answer to RM of a key that another client has removed meanwhile.
    @Test(arguments: [false, true])
    func aTransactionIsTriedAgainAfterEIO(isLast: Bool) async throws {
        let last = isLast ? ["6|", "!EIO", "OK|"] : ["6|", "OK|", "OK|"]
        try await withReplies(["5|", "!EIO", "OK|"] + last) { client in
            do throws(XenstoreError) {
                try await client.transaction(attempts: 2) { transaction throws(XenstoreError) in
                    .commit(try await client.remove("/k", in: transaction))
                }
                #expect(!isLast)
            } catch {
                #expect(isLast && error == .refused(.ioError))
            }
        }
    }

    @Test func aTransactionMayBeForgotten() async throws {
        let seen = Recorder<String>()
        try await withReplies(["5|", "OK|", "after"], seen: seen) { client in
            let value = try await client.transaction(attempts: 1) { _ in .rollback(42) }
            #expect(value == 42)
            _ = try await client.read("/after")
            #expect(seen.all[1] == "transactionEnd 5 F|")
        }
    }

    @Test(arguments: ["", "0|", "x|", "7", "-1|", "99999999999|"])
    func aTransactionWithoutANumberIsRefused(reply: String) async throws {
        try await withReplies([reply]) { client in
            await #expect(throws: XenstoreError.malformedReply) {
                try await client.startTransaction()
            }
        }
    }
}
