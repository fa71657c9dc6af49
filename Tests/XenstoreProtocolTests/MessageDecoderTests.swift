import TestSupport
import Testing
import XenstoreProtocol

/// Messages come out of a stream, however it is split.
struct MessageDecoderTests {
    private static func messages(_ random: inout SplitMix64, count: Int) -> [Message] {
        (0..<count).map { _ in
            let length = random.happens(percent: 10) ? 4096 : random.below(40)
            return Message(
                rawType: UInt32(random.below(30)),
                requestID: RequestID(UInt32.random(in: 0 ... .max, using: &random)),
                transactionID: TransactionID(UInt32(random.below(5))),
                payload: random.bytes(length)
            )
        }
    }

    private static func encode(_ messages: [Message]) -> [UInt8] {
        var bytes: [UInt8] = []
        for message in messages { message.encode(into: &bytes) }
        return bytes
    }

    private static func drain(_ decoder: inout MessageDecoder) throws -> [Message] {
        var messages: [Message] = []
        while let message = try decoder.next() { messages.append(message) }
        return messages
    }

    @Test func theHeaderIsFourNumbersInTheHostsOrder() {
        let message = Message(
            .read,
            requestID: RequestID(0x0102_0304),
            transactionID: TransactionID(5),
            payload: [0x61, 0]
        )
        #expect(
            Self.encode([message]) == [
                2, 0, 0, 0, 4, 3, 2, 1, 5, 0, 0, 0, 2, 0, 0, 0, 0x61, 0,
            ]
        )
    }

    @Test func everySplitIntoTwoGivesTheSame() throws {
        var random = SplitMix64(seed: 1)
        let messages = Self.messages(&random, count: 3).map {
            Message(
                rawType: $0.rawType,
                requestID: $0.requestID,
                payload: Array($0.payload.prefix(9))
            )
        }
        let bytes = Self.encode(messages)
        for split in 0...bytes.count {
            var decoder = MessageDecoder()
            decoder.append(bytes[..<split])
            var found = try Self.drain(&decoder)
            decoder.append(bytes[split...])
            found += try Self.drain(&decoder)
            #expect(found == messages, "split at \(split)")
            #expect(decoder.pendingCount == 0)
        }
    }

    @Test func byteByByteGivesTheSame() throws {
        var random = SplitMix64(seed: 2)
        let messages = Self.messages(&random, count: 12)
        var decoder = MessageDecoder()
        var found: [Message] = []
        for byte in Self.encode(messages) {
            decoder.append(CollectionOfOne(byte))
            found += try Self.drain(&decoder)
        }
        #expect(found == messages)
    }

    @Test(arguments: 0..<20)
    func anyPiecesByEitherWayGiveTheSame(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let messages = Self.messages(&random, count: 60)
        var rest = Self.encode(messages)[...]
        var decoder = MessageDecoder()
        var found: [Message] = []
        while !rest.isEmpty {
            let piece = rest.prefix(1 + random.below(random.happens(percent: 20) ? 9000 : 50))
            rest = rest.dropFirst(piece.count)
            if random.happens(percent: 50) {
                decoder.append(piece)
            } else {
                _ = decoder.fill(minimumCapacity: piece.count) { buffer in
                    buffer.copyBytes(from: piece)
                    return piece.count
                }
            }
            if random.happens(percent: 70) { found += try Self.drain(&decoder) }
        }
        found += try Self.drain(&decoder)
        #expect(found == messages, "seed \(seed)")
    }

    @Test func anEmptyFillLeavesWhatWasThere() throws {
        let message = Message(.read, payload: [1])
        let bytes = Self.encode([message])
        var decoder = MessageDecoder()
        decoder.append(bytes[..<7])
        #expect(decoder.fill(minimumCapacity: 100) { _ in 0 } == 0)
        decoder.append(bytes[7...])
        #expect(try decoder.next() == message)
    }

    @Test(arguments: [4097, 5000, UInt32.max])
    func aLengthBeyondTheLimitEndsTheStream(length: UInt32) throws {
        var bytes = Self.encode([Message(.read, payload: [1])])
        let violation = ProtocolViolation.payloadTooLong(length: length)
        let header = MessageHeader(
            rawType: 2,
            requestID: RequestID(1),
            transactionID: .none,
            length: length
        )
        header.encode(into: &bytes)
        var decoder = MessageDecoder()
        decoder.append(bytes)
        #expect(try decoder.next()?.payload == [1])
        #expect(throws: violation) { try decoder.next() }
        decoder.append(Self.encode([Message(.read, payload: [])]))
        #expect(throws: violation) { try decoder.next() }
    }

    @Test func aClientMayTakeLongListings() throws {
        let list = Message(.directory, payload: [UInt8](repeating: 1, count: 72000))
        var decoder = MessageDecoder(directoryLimit: 72000)
        decoder.append(Self.encode([list]))
        #expect(try decoder.next() == list)
        decoder.append(Self.encode([Message(.read, payload: list.payload)]))
        #expect(throws: ProtocolViolation.payloadTooLong(length: 72000)) { try decoder.next() }
    }

    @Test(arguments: 0..<200)
    func garbageNeverTrapsNorGivesTooMuch(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var decoder = MessageDecoder()
        for _ in 0..<20 {
            var bytes = random.bytes(random.below(600))
            // Lengths that are random are mostly too long: let some be short.
            for index in bytes.indices where index % 4 != 0 && random.happens(percent: 60) {
                bytes[index] = 0
            }
            decoder.append(bytes)
            do {
                while let message = try decoder.next() {
                    #expect(message.payload.count <= 4096, "seed \(seed)")
                }
            } catch {
                return
            }
        }
    }
}
