import TestSupport
import Testing
import XenstoreProtocol

/// Requests as they go over the wire, and back.
struct RequestTests {
    static let requests: [Request] = [
        .control([Array("quota".utf8), Array("5".utf8)]),
        .directory("/a"),
        .read("relative/key"),
        .getPermissions("@releaseDomain"),
        .watch("/a", token: [0xFF, 0x20]),
        .watch("/a", token: [], depth: 3),
        .unwatch("/a", token: [0x74]),
        .transactionStart,
        .transactionEnd(commit: true),
        .transactionEnd(commit: false),
        .introduce(DomainID(7), frame: -12, eventChannel: 9),
        .release(DomainID(7)),
        .getDomainPath(DomainID(.max)),
        .write("/a/b", value: [0, 1, 0, 255]),
        .write("/a", value: []),
        .makeDirectory("/a"),
        .remove("/a"),
        .setPermissions("/a", Permissions(owner: DomainID(1), everyone: .read)),
        .setPermissions("/a", "b3,n0,w1,r2"),
        .isDomainIntroduced(DomainID(0)),
        .resume(DomainID(1)),
        .setTarget(DomainID(1), target: DomainID(2)),
        .restrict(DomainID(1)),
        .resetWatches,
        .directoryPart("/a", offset: 4711),
        .getFeature(nil),
        .getFeature(DomainID(3)),
        .setFeature(DomainID(3), features: 12),
        .getQuota(nil, name: nil),
        .getQuota(nil, name: "nodes"),
        .getQuota(DomainID(3), name: "nodes"),
        .setQuota(nil, name: "nodes", value: 5),
        .setQuota(DomainID(3), name: "nodes", value: 0),
    ]

    @Test func everyTypeThatAClientSendsIsHere() {
        let sent = Set(Self.requests.map(\.type))
        #expect(sent == Set(MessageType.allCases.filter { !$0.isFromServerOnly }))
    }

    @Test(arguments: requests)
    func aRequestSurvivesTheWire(request: Request) throws {
        var bytes: [UInt8] = []
        let isEncoded = request.encode(
            requestID: RequestID(0xDEAD_BEEF),
            transactionID: TransactionID(17),
            into: &bytes
        )
        #expect(isEncoded)
        var decoder = MessageDecoder()
        decoder.append(bytes)
        let message = try #require(try decoder.next())
        #expect(message.type == request.type)
        #expect(message.requestID == RequestID(0xDEAD_BEEF))
        #expect(message.transactionID == TransactionID(17))
        #expect(message.payload == request.payload)
        #expect(try Request(message) == request)
        #expect(try decoder.next() == nil)
        #expect(decoder.pendingCount == 0)
    }

    /// Payloads with `|` for NUL, as the protocol's description writes them.
    @Test(arguments: [
        (Request.write("/a", value: [0x78]), "/a|x"),
        (.watch("/a", token: [0x74], depth: 0), "/a|t|0|"),
        (.transactionEnd(commit: true), "T|"),
        (.setPermissions("/a", "n0,b5"), "/a|n0|b5|"),
        (.introduce(DomainID(1), frame: -1, eventChannel: 2), "1|-1|2|"),
        (.directoryPart("/a", offset: 0), "/a|0|"),
        (.getFeature(nil), ""),
        (.setQuota(DomainID(1), name: "nodes", value: 2), "1|nodes|2|"),
    ])
    func payloadsAreAsDescribed(request: Request, payload: String) {
        #expect(request.payload == payload.utf8.map { $0 == 0x7C ? 0 : $0 })
    }

    @Test(arguments: [
        (MessageType.read, ""), (.read, "/a"), (.read, "/a|b|"), (.read, "|"), (.read, "/a |"),
        (.write, "/a"), (.write, "/a/|x"), (.watch, "/a|"), (.watch, "/a|t"),
        (.watch, "/a|t|x|"), (.watch, "/a|t|1|2|"), (.watch, "/a|t|-1|"), (.unwatch, "/a|"),
        (.transactionEnd, ""), (.transactionEnd, "T"), (.transactionEnd, "X|"),
        (.transactionEnd, "TRUE|"), (.transactionEnd, "T|F|"), (.setPermissions, "/a|"),
        (.setPermissions, "/a|x0|"), (.setPermissions, "/a|n0"), (.setPermissions, "/a|n|"),
        (.setPermissions, "/a|n0||"), (.introduce, "1|2|"), (.introduce, "x|2|3|"),
        (.release, "|"), (.release, "+1|"), (.release, "4294967296|"), (.setTarget, "1|"),
        (.directoryPart, "/a|"), (.directoryPart, "/a|-1|"), (.getQuota, "x|nodes|"),
        (.getQuota, "1|nodes|x|"), (.setQuota, "nodes|"), (.setQuota, "nodes|-1|"),
        (.setFeature, "1|"), (.control, "help"), (.getDomainPath, "1"),
    ])
    func malformedPayloadsAreInvalid(type: MessageType, payload: String) {
        let bytes = payload.utf8.map { $0 == 0x7C ? UInt8(0) : $0 }
        #expect(throws: StoreErrorCode.invalid) { try Request(Message(type, payload: bytes)) }
    }

    @Test(arguments: [15, 16, 27, 100, 0xFFFF, UInt32.max])
    func unknownTypesAreNotImplemented(rawType: UInt32) {
        #expect(throws: StoreErrorCode.notImplemented) {
            try Request(Message(rawType: rawType, payload: [0]))
        }
    }

    @Test func whatDoesNotFitIsNotEncoded() {
        var bytes: [UInt8] = [1, 2, 3]
        func encode(_ count: Int, _ limit: Int) -> Bool {
            Request.write("/ab", value: [UInt8](repeating: 0, count: count))
                .encode(
                    requestID: RequestID(1),
                    transactionID: .none,
                    payloadLimit: limit,
                    into: &bytes
                )
        }
        #expect(!encode(4093, ProtocolLimits.payloadSize))
        #expect(!encode(4077, ProtocolLimits.xenbusPayloadSize))
        #expect(bytes == [1, 2, 3])
        #expect(encode(4092, ProtocolLimits.payloadSize))
        #expect(bytes.count == 3 + 16 + 4096)
    }

    @Test(arguments: 0..<50)
    func garbageIsParsedOrRefusedButNeverTraps(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let alphabet = Array("/a@0-9TFnrwb,|x".utf8).map { $0 == 0x7C ? UInt8(0) : $0 }
        for _ in 0..<400 {
            let payload = (0..<random.below(24)).map { _ in
                random.happens(percent: 95) ? random.pick(alphabet) : random.bytes(1)[0]
            }
            let message = Message(rawType: UInt32(random.below(30)), payload: payload)
            guard let request = try? Request(message) else { continue }
            // What was understood means the same when it is sent again.
            let again = try? Request(Message(request.type, payload: request.payload))
            #expect(again == request, "seed \(seed), payload \(payload)")
        }
    }
}
