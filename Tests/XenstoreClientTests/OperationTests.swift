import TestSupport
import Testing
import XenstoreClient
import XenstoreProtocol

/// What each operation sends, and what it makes of the answer. `|` is a NUL, and `!` begins an
/// error.
@Suite(.timeLimit(.minutes(1)))
struct OperationTests {
    /// An operation, as a text of its result.
    struct Operation: Sendable, CustomTestStringConvertible {
        let name: String
        let request: String
        let reply: String
        let result: String
        let run: @Sendable (Xenstore) async throws -> String

        init(
            _ name: String,
            sends request: String,
            gets reply: String,
            is result: String,
            _ run: @escaping @Sendable (Xenstore) async throws -> String
        ) {
            self.name = name
            self.request = request
            self.reply = reply
            self.result = result
            self.run = run
        }

        var testDescription: String { "\(name) \(reply)" }
    }

    private static func done(
        _ name: String,
        sends request: String,
        _ run: @escaping @Sendable (Xenstore) async throws -> Void
    ) -> Operation {
        Operation(name, sends: request, gets: "OK|", is: "done") { client in
            try await run(client)
            return "done"
        }
    }

    private static let seven = DomainID(7)

    static let operations: [Operation] = [
        done("introduce", sends: "introduce 7|-3|9|") {
            try await $0.introduce(seven, frame: -3, eventChannel: 9)
        },
        done("release", sends: "release 7|") { try await $0.release(seven) },
        done("resume", sends: "resume 7|") { try await $0.resume(seven) },
        done("setTarget", sends: "setTarget 8|7|") {
            try await $0.setTarget(of: DomainID(8), to: seven)
        },
        done("restrict", sends: "restrict 7|") { try await $0.restrict(to: seven) },
        done("setFeatures", sends: "setFeature 7|6|") { try await $0.setFeatures(6, of: seven) },
        done("setQuota", sends: "setQuota nodes|5|") { try await $0.setQuota("nodes", to: 5) },
        done("setQuota of", sends: "setQuota 7|nodes|5|") {
            try await $0.setQuota("nodes", of: seven, to: 5)
        },
        done("resetWatches", sends: "resetWatches |") { try await $0.resetWatches() },
        introduced("T|", "true"), introduced("F|", "false"),
        introduced("", "IS_DOMAIN_INTRODUCED: \(malformed)"),
        introduced("T", "IS_DOMAIN_INTRODUCED: \(malformed)"),
        introduced("!EACCES", "IS_DOMAIN_INTRODUCED: EACCES"),
        domainPath("/local/domain/7|", "/local/domain/7"),
        domainPath("/local/domain/7", "GET_DOMAIN_PATH: \(malformed)"),
        domainPath("/local//7|", "GET_DOMAIN_PATH: \(malformed)"),
        features("13|", "13"), features("0x1|", "GET_FEATURE: \(malformed)"),
        features("13", "GET_FEATURE: \(malformed)"), features("!ENOSYS", "unsupported"),
        features("99999999999|", "GET_FEATURE: \(malformed)"),
        Operation("features of", sends: "getFeature 7|", gets: "1|", is: "1") {
            "\(try await $0.features(of: seven))"
        },
        Operation("quotaNames", sends: "getQuota ", gets: "nodes watches|", is: "nodes,watches") {
            try await $0.quotaNames().joined(separator: ",")
        },
        Operation("quota", sends: "getQuota nodes|", gets: "1000|", is: "1000") {
            "\(try await $0.quota("nodes"))"
        },
        Operation(
            "quota of",
            sends: "getQuota 7|nodes|",
            gets: "-1|",
            is: "GET_QUOTA: \(malformed)"
        ) {
            "\(try await $0.quota("nodes", of: seven))"
        },
        Operation("control", sends: "control print|a b||", gets: "said|", is: "said") {
            try await $0.control(["print", "a b", ""])
        },
        Operation("control", sends: "control check|", gets: "", is: "") {
            try await $0.control(["check"])
        },
        Operation("control", sends: "control x|", gets: "!EODD", is: "CONTROL: EODD") {
            try await $0.control(["x"])
        },
        Operation("permissions", sends: "getPermissions /k|", gets: "r24|b3|", is: "r24,b3") {
            "\(try await $0.permissions(of: "/k"))"
        },
        Operation(
            "permissions",
            sends: "getPermissions /k|",
            gets: "r24",
            is: "GET_PERMS /k: \(malformed)"
        ) {
            "\(try await $0.permissions(of: "/k"))"
        },
        Operation("write", sends: "write k|", gets: "!EQUOTA", is: "over a quota") {
            let client = $0
            let error = await #expect(throws: ClientError.self) {
                try await client.write("", to: "k")
            }
            return error?.code == .quota ? "over a quota" : "another error"
        },
    ]

    private static let malformed = ClientError.Reason.malformedReply

    private static func introduced(_ reply: String, _ result: String) -> Operation {
        Operation("isIntroduced", sends: "isDomainIntroduced 7|", gets: reply, is: result) {
            "\(try await $0.isIntroduced(seven))"
        }
    }

    private static func domainPath(_ reply: String, _ result: String) -> Operation {
        Operation("domainPath", sends: "getDomainPath 7|", gets: reply, is: result) {
            "\(try await $0.domainPath(of: seven))"
        }
    }

    private static func features(_ reply: String, _ result: String) -> Operation {
        Operation("features", sends: "getFeature ", gets: reply, is: result) {
            do {
                return "\(try await $0.features())"
            } catch {
                if (error as any Error as? ClientError)?.isUnsupported == true {
                    return "unsupported"
                }
                throw error
            }
        }
    }

    @Test(arguments: operations)
    func sendsAndTakes(operation: Operation) async throws {
        let seen = Recorder<String>()
        let store = try FakeStore { peer in
            let request = try peer.next()
            let payload = request.payload.map { $0 == 0 ? 0x7C : $0 }
            let type = request.type.map { "\($0)" } ?? "?"
            seen.note("\(type) " + String(decoding: payload, as: UTF8.self))
            if operation.reply.hasPrefix("!") {
                try peer.refuse(String(operation.reply.dropFirst()), request)
            } else {
                try peer.reply(operation.reply.replacing("|", with: "\0"), to: request)
            }
            // What pushes it is answered, too.
            try peer.serve()
        }
        defer { store.end() }
        let client = try await Xenstore(to: .socket(store.path))
        let result: String
        do {
            result = try await operation.run(client)
        } catch {
            result = "\(error)"
        }
        #expect(result == operation.result)
        #expect(seen.all == [operation.request])
        await client.close()
    }

    @Test func whatTheProtocolCannotCarryIsNotSent() async throws {
        let store = try FakeStore { try $0.serve() }
        defer { store.end() }
        let client = try await Xenstore(to: .socket(store.path))
        let withNul = await #expect(throws: ClientError.self) {
            try await client.control(["a\0b"])
        }
        guard case .invalidArgument? = withNul?.reason else {
            Issue.record("\(String(describing: withNul))")
            return
        }
        let tooLarge = await #expect(throws: ClientError.self) {
            try await client.write([UInt8](repeating: 0, count: 4096), to: "/k")
        }
        #expect(tooLarge?.reason == .tooLarge && tooLarge?.path == "/k")
        await client.close()
    }
}
