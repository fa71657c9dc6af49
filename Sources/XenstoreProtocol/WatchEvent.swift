/// One notice of a watch: something at or below the watched path may have changed.
public struct WatchEvent: Hashable, Sendable {
    /// The path that changed, as the server wrote it: relative for a relative watch.
    public var path: XenstorePath
    /// The token that the watch was set with.
    public var token: [UInt8]

    public init(path: XenstorePath, token: [UInt8]) {
        self.path = path
        self.token = token
    }

    /// Parses the payload of a WATCH_EVENT message: path, NUL, token, NUL.
    public init?(payload: [UInt8]) {
        let parts = payload.split(separator: 0, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[2].isEmpty else { return nil }
        guard let path = try? XenstorePath(bytes: parts[0]) else { return nil }
        self.init(path: path, token: Array(parts[1]))
    }

    /// The payload of the event's message.
    public var payload: [UInt8] {
        Array(path.text.utf8) + [0] + token + [0]
    }
}
