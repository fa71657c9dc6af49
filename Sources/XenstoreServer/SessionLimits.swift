/// The bounds of one connection to a server, and what happens at each.
public struct SessionLimits: Hashable, Sendable {
    /// Bytes of replies and events that may wait for a slow reader before no more of its requests
    /// are taken.
    public var outputBeforePause: Int

    /// Bytes of replies and events that may wait at all; then the connection is cut. Events alone
    /// can get there, since they come without requests.
    public var output: Int

    /// Bytes that are read at once before others get their turn.
    public var inputPerTurn: Int

    /// How long one client's requests are worked on before others get their turn.
    public var timePerTurn: Duration

    /// Connections that a guest may have at a time.
    public var connectionsOfGuest: Int { 128 }

    /// Connections that are taken before others get their turn.
    public var acceptedPerTurn: Int { 32 }

    /// Bytes that are read of a guest at once.
    public var guestInputPerTurn: Int { min(inputPerTurn, 16384) }

    /// Bytes of payload that a request may have where more than the protocol allows is an error and
    /// not the end: as oxenstored has it. Beyond this it is the end.
    public var oversizedRequest: Int { 65536 }

    /// Bytes of input that an idle connection keeps memory for.
    public var keptInput: Int { 512 }

    /// Bytes of output that an idle connection keeps memory for.
    public var keptOutput: Int { 16384 }

    /// Events that wait at once beyond which the memory for telling equal ones is given back.
    public var keptEvents: Int { 64 }

    public init(
        outputBeforePause: Int = 65536,
        output: Int = 4_194_304,
        inputPerTurn: Int = 65536,
        timePerTurn: Duration = .milliseconds(1)
    ) {
        self.outputBeforePause = outputBeforePause
        self.output = output
        self.inputPerTurn = inputPerTurn
        self.timePerTurn = timePerTurn
    }
}
