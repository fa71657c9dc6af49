/// The number by which a store knows one of its connections. None is used twice.
public struct ConnectionID: Hashable, Sendable, CustomStringConvertible {
    let rawValue: UInt64

    public var description: String { "connection \(rawValue)" }
}
