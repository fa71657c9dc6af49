import ArgumentParser
import XenstoreClient
import XenstoreProtocol

/// `xsfs control COMMAND [ARGUMENT...]`
struct ControlCommand: StoreCommand {
    /// As `xenstore-control` has it.
    private static let refused: Int32 = 3
    /// How long the store may take, and be silent meanwhile: it may check itself, or be replaced.
    private static let patience = Duration.seconds(3600)

    static let configuration = CommandConfiguration(
        commandName: "control",
        abstract: "Give the store itself a command, such as help, check or memreport.",
        discussion: """
            The command and its arguments go to the store as they are; what it answers is printed. \
            Options of xsfs stand before the command. `help` lists what a store knows.

            Status: 0, 1 where there is no store, 2 for a wrong use, 3 where the store refuses.
            """
    )

    static var connectionConfiguration: ConnectionConfiguration {
        ConnectionConfiguration(stallTimeout: patience)
    }

    @OptionGroup(title: "Which store")
    var place: StorePlace

    @Argument(help: "The command.")
    var command: String

    @Argument(parsing: .captureForPassthrough, help: "What belongs to it.")
    var arguments: [String] = []

    func perform(_ client: Xenstore, _ output: Output) async throws {
        let answer: String
        do throws(ClientError) {
            answer = try await client.control([command] + arguments)
        } catch {
            guard error.code != nil else { throw error }
            guard error.code == .invalid, let known = try? await client.control(["help"]) else {
                throw CommandError(error.explanation, status: Self.refused)
            }
            throw CommandError(
                error.explanation + "; it knows:",
                details: "\n" + known,
                status: Self.refused
            )
        }
        if !answer.isEmpty { try output.write(answer + "\n") }
    }
}
