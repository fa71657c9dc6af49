public import XenstoreProtocol

/// What can be given for a path: a text, which is checked before anything is sent, or a
/// `XenstorePath`, which has been.
public protocol XenstorePathConvertible: Sendable {
    /// The path.
    ///
    /// - Throws: `PathError` for what is none.
    func xenstorePath() throws(PathError) -> XenstorePath

    /// The path as it was given, for messages.
    var pathText: String { get }
}

extension XenstorePath: XenstorePathConvertible {
    public func xenstorePath() -> XenstorePath { self }
    public var pathText: String { text }
}

extension String: XenstorePathConvertible {
    public func xenstorePath() throws(PathError) -> XenstorePath { try XenstorePath(self) }
    public var pathText: String { self }
}

extension Substring: XenstorePathConvertible {
    public func xenstorePath() throws(PathError) -> XenstorePath { try XenstorePath(String(self)) }
    public var pathText: String { String(self) }
}

/// What can be given for a value: bytes, a text, or an integer, which is stored as decimal text.
public protocol XenstoreValueConvertible: Sendable {
    /// The bytes that are stored: no NUL and no newline are added.
    var xenstoreValue: [UInt8] { get }
}

extension [UInt8]: XenstoreValueConvertible {
    public var xenstoreValue: [UInt8] { self }
}

extension String: XenstoreValueConvertible {
    public var xenstoreValue: [UInt8] { Array(utf8) }
}

extension Substring: XenstoreValueConvertible {
    public var xenstoreValue: [UInt8] { Array(utf8) }
}

extension XenstoreValueConvertible where Self: BinaryInteger {
    public var xenstoreValue: [UInt8] { Array(String(self).utf8) }
}

extension Int: XenstoreValueConvertible {}
extension Int64: XenstoreValueConvertible {}
extension Int32: XenstoreValueConvertible {}
extension UInt: XenstoreValueConvertible {}
extension UInt64: XenstoreValueConvertible {}
extension UInt32: XenstoreValueConvertible {}
extension UInt16: XenstoreValueConvertible {}
extension UInt8: XenstoreValueConvertible {}

extension XenstorePathConvertible {
    /// The path for an operation.
    func checked(for operation: MessageType) throws(ClientError) -> XenstorePath {
        do throws(PathError) {
            return try xenstorePath()
        } catch {
            throw ClientError(operation, path: pathText, .invalidPath(error))
        }
    }
}
