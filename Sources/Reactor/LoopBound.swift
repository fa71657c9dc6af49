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

    /// Calls `body` with the value on the loop's thread, before the loop next waits. From any
    /// thread; never at once.
    public func later(_ body: @escaping @Sendable (Value) -> Void) {
        if loop.isCurrent {
            loop.later { body(content) }
        } else {
            loop.submit { body(value) }
        }
    }
}
