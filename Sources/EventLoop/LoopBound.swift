/// A value that is used on one loop's thread alone, made to pass through closures that are
/// `Sendable`.
// Sendable: the value is reached on the loop's thread only, which `value` checks.
public struct LoopBound<Value>: @unchecked Sendable {
    private let content: Value
    private let loop: EventLoop

    public init(_ value: Value, to loop: EventLoop) {
        content = value
        self.loop = loop
    }

    /// The value, on the loop's thread.
    public var value: Value {
        assert(loop.isCurrent, "a value of the loop is used on another thread")
        return content
    }
}
