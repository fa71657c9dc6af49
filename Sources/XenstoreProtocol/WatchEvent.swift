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
    ///
    /// C xenstored from 4.18 on lets the privileged domain have paths of any length. The event of
    /// one that is too long here is one of the last key above it that is not.
    public init?(payload: [UInt8]) {
        guard payload.last == 0, let end = payload.firstIndex(of: 0) else { return nil }
        let token = payload[(end + 1)...].dropLast()
        guard end < payload.count - 1, !token.contains(0),
            let path = Self.path(payload[..<end])
        else { return nil }
        self.init(path: path, token: Array(token))
    }

    private static func path(_ bytes: ArraySlice<UInt8>) -> XenstorePath? {
        do throws(PathError) {
            return try XenstorePath(bytes: bytes)
        } catch .tooLong {
            return XenstorePath(longestAncestorOf: bytes)
        } catch {
            return nil
        }
    }

    /// The payload of the event's message.
    public var payload: [UInt8] {
        Array(path.text.utf8) + [0] + token + [0]
    }
}
