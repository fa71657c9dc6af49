import ArgumentParser
import Reactor
import SystemPackage
import XenstoreClient
import XenstoreProtocol

/// A command that asks a store something, and ends: `xsfs read`, `xsfs ls` and so on.
protocol StoreCommand: ParsableCommand {
    /// Which store it asks.
    var place: StorePlace { get }

    /// What the connection may do and for how long.
    static var connectionConfiguration: ConnectionConfiguration { get }

    /// Asks, and says what the store answers. Runs on the client's loop.
    ///
    /// - Throws: `ClientError`, ``CommandError``, or `ExitCode` for a status that says all.
    func perform(_ client: Xenstore, _ output: Output) async throws
}

extension StoreCommand {
    static var connectionConfiguration: ConnectionConfiguration { ConnectionConfiguration() }

    /// Connects, performs, and writes what is left of the output.
    func run() throws {
        SignalSource.ignoreBrokenPipes()
        let address = try place.address()
        let loop = try EventLoop()
        let client: Xenstore
        do throws(Errno) {
            client = try Xenstore(
                to: address,
                on: loop,
                configuration: Self.connectionConfiguration
            )
        } catch {
            throw CommandError(connectingTo: address, error)
        }
        let work = LoopBound(Work(command: self, output: Output()), to: loop)
        Task.immediate(executorPreference: loop) {
            let work = work.value
            do {
                try await work.command.perform(client, work.output)
            } catch {
                work.failure = error
            }
            loop.stop()
        }
        loop.run()
        try work.value.end()
    }
}

/// A command under way.
private final class Work<Command: StoreCommand> {
    let command: Command
    let output: Output
    var failure: (any Error)?

    init(command: Command, output: Output) {
        self.command = command
        self.output = output
    }

    /// Writes what was said, before the reason for which no more was.
    func end() throws {
        try output.flush()
        switch failure {
        case nil: break
        case let error as ClientError: throw CommandError(error.explanation)
        case let error?: throw error
        }
    }
}

extension Xenstore {
    /// Runs `body` with operations one by one; or in a transaction, where there are several.
    func inTransaction<Value>(
        if areSeveral: Bool,
        _ body: (XenstoreHandle) async throws -> Value
    ) async throws -> Value {
        guard areSeveral else { return try await body(immediate) }
        return try await transaction(.standard, body)
    }
}
