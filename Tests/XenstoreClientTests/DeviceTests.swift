import SystemPackage
import TestSupport
import Testing
import XenstoreClient
import XenstoreProtocol

/// What the kernel's xenbus device does that a daemon's socket does not.
@Suite(.timeLimit(.minutes(1)))
struct DeviceTests {
    private func withDevice(
        refuses: @escaping @Sendable (Message) -> Errno? = { _ in nil },
        _ script: @escaping @Sendable (FakeDevice.Kernel) throws -> Void,
        _ body: @Sendable (Xenstore) async throws -> Void
    ) async throws {
        let device = FakeDevice(refuses: refuses, script)
        try await device.withClient(body)
        #expect(device.failures.all == [])
    }

    @Test func oneMessageAWriteAndOneOnItsWay() async throws {
        let most = Recorder<Bool>()
        try await withDevice({ kernel in
            while true {
                let request = try kernel.next()
                // Kernels before 4.11 block a second write until the reply is read.
                most.note(kernel.hasMore(within: 2))
                try kernel.reply(request.text, to: request)
            }
        }) { client in
            let paths = (0..<40).map { "/k/\($0)" }
            let values = try await client.readMany(paths).map { answer in
                String(decoding: try answer.get(), as: UTF8.self)
            }
            #expect(values == paths)
        }
        #expect(most.all == Array(repeating: false, count: 40))
    }

    @Test func aMessageHas4096BytesWithItsHeader() async throws {
        let sizes = Recorder<Int>()
        try await withDevice({ kernel in
            while true {
                let request = try kernel.next()
                sizes.note(request.bytes.count)
                try kernel.reply("OK\0", to: request)
            }
        }) { client in
            try await client.write([UInt8](repeating: 1, count: 4080 - 3), to: "/k")
            let error = await #expect(throws: ClientError.self) {
                try await client.write([UInt8](repeating: 1, count: 4081 - 3), to: "/k")
            }
            #expect(error?.reason == .tooLarge)
        }
        #expect(sizes.all == [4096])
    }

    @Test(arguments: [true, false])
    func theKernelAnswersWatchesItself(isOld: Bool) async throws {
        try await withDevice({ kernel in
            var watch: Message?
            while true {
                let request = try kernel.next()
                switch request.type {
                case .watch:
                    watch = request
                    // The first event may come before the OK.
                    try kernel.event(request.text, of: request)
                    try kernel.reply("OK\0", to: isOld ? Self.unnumbered(request) : request)
                case .unwatch:
                    // OK even for what is not watched.
                    try kernel.reply("OK\0", to: isOld ? Self.unnumbered(request) : request)
                    if let watch { try kernel.event("/w/late", of: watch) }
                default:
                    if let watch { try kernel.event("/w/below", of: watch) }
                    try kernel.reply("v", to: request)
                }
            }
        }) { client in
            let stream = try await client.watch("/w")
            var events = stream.makeAsyncIterator()
            #expect(try await events.next() == "/w")
            #expect(try await client.readText("/k") == "v")
            #expect(try await events.next() == "/w/below")
            try await stream.end()
            #expect(try await events.next() == nil)
            #expect(try await client.readText("/k") == "v")
        }
    }

    /// Linux takes a watch with a depth, and sets it without.
    @Test func theKernelDropsTheDepthOfAWatch() async throws {
        try await withDevice({ kernel in
            let request = try kernel.next()
            try kernel.reply("OK\0", to: request)
            for path in ["/w", "/w/a/deep", "/w/a", "/w/a/deeper", "/w/b"] {
                try kernel.event(path, of: request)
            }
            while true { try kernel.reply("OK\0", to: try kernel.next()) }
        }) { client in
            var events = try await client.watch("/w", depth: 1).makeAsyncIterator()
            for path in ["/w", "/w/a", "/w/b"] {
                #expect(try await events.next()?.text == path)
            }
        }
    }

    /// As kernels before 4.11 answer.
    private static func unnumbered(_ request: Message) -> Message {
        Message(rawType: request.rawType, requestID: RequestID(0), payload: [])
    }

    @Test func aWriteThatFailsHasNoReply() async throws {
        let refuses: @Sendable (Message) -> Errno? = { message in
            switch message.text {
            case "/exists": .fileExists
            case "/long": .argListTooLong
            case "/odd": .invalidArgument
            case "/memory": .noMemory
            default: nil
            }
        }
        try await withDevice(
            refuses: refuses,
            { kernel in
                while true {
                    let request = try kernel.next()
                    try kernel.reply(request.text, to: request)
                }
            }
        ) { client in
            let watch = await #expect(throws: ClientError.self) {
                try await client.watch("/exists")
            }
            #expect(watch == ClientError(.watch, path: "/exists", .refused(.exists)))
            for (path, code) in [
                ("/long", StoreErrorCode.tooBig), ("/odd", .invalid), ("/memory", .noMemory),
            ] {
                let error = await #expect(throws: ClientError.self) { try await client.read(path) }
                #expect(error == ClientError(.read, path: path, .refused(code)))
                // The others are not concerned.
                let answers = try await client.readMany([path, "/good", path, "/better"])
                let good = answers.compactMap { try? $0.get() }
                #expect(good == [Array("/good".utf8), Array("/better".utf8)])
            }
        }
    }

    @Test func afterAMigrationATransactionIsAConflict() async throws {
        try await withDevice({ kernel in
            var starts = 0
            while true {
                let request = try kernel.next()
                switch request.type {
                case .transactionStart:
                    starts += 1
                    try kernel.reply("\(starts)\0", to: request)
                case .transactionEnd where starts == 1:
                    try kernel.refuse("EAGAIN", request)
                default:
                    try kernel.reply("OK\0", to: request)
                }
            }
        }) { client in
            var count = 0
            try await client.transaction(.upTo(2)) { handle in
                count += 1
                try await handle.write("v", to: "/k")
            }
            #expect(count == 2)
        }
    }

    @Test func aTransactionThatTheKernelDoesNotKnow() async throws {
        try await withDevice({ kernel in
            while true {
                let request = try kernel.next()
                if request.type == .transactionStart {
                    try kernel.reply("1\0", to: request)
                } else if request.transactionID == .none {
                    try kernel.reply("v", to: request)
                } else {
                    try kernel.refuse("ENOENT", request)
                }
            }
        }) { client in
            let transaction = try await client.begin()
            let error = await #expect(throws: ClientError.self) { try await transaction.commit() }
            #expect(error?.code == .noEntry)
            #expect(try await client.readText("/k") == "v")
        }
    }
}
