import XenstoreProtocol

/// Bytes of a value as a log shows them.
public enum LoggedBytes {
    /// Their number, as values may be secrets; or, if wanted, what they are.
    public static func text(of value: some Sequence<UInt8>, showsValue: Bool) -> String {
        let bytes = Array(value)
        let count = bytes.count == 1 ? "1 byte" : "\(bytes.count) bytes"
        guard showsValue else { return count }
        return "\(count) \"\(String(decoding: bytes, as: UTF8.self).printable)\""
    }
}
