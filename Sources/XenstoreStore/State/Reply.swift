/// Payloads of replies.
enum Reply {
    /// What answers a change.
    static let okay = text("OK")

    /// A text as replies hold it, with the NUL that ends it.
    static func text(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }
}
