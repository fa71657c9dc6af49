import MountSupport
import XenstoreProtocol

/// An error that a daemon answers where our store has another, as docs/PROTOCOL.md says.
struct KnownDifference {
    let type: MessageType
    /// Which requests of this type.
    let path: @Sendable (String) -> Bool
    let theirs: String
    let ours: String

    /// What the random comparison meets with a daemon that our store does not follow: the store
    /// follows 4.17.
    static func all(of kind: ServerKind, _ version: XenVersion) -> [KnownDifference] {
        guard kind == .xenstored, version >= .xen420 else { return [] }
        return [
            KnownDifference(
                type: .unwatch,
                path: { !$0.hasPrefix("@") && (try? XenstorePath($0)) == nil },
                theirs: "EINVAL",
                ours: "ENOENT"
            ),
            KnownDifference(
                type: .getPermissions,
                path: { $0.hasPrefix("@") },
                theirs: "ENOENT",
                ours: "EINVAL"
            ),
            KnownDifference(
                type: .transactionEnd,
                path: { $0 == "T" },
                theirs: "ENOMEM",
                ours: "EAGAIN"
            ),
        ]
    }

    /// The daemon's reply to a request as our store would give it.
    func undone(in reply: Message, to request: Message) -> Message {
        let argument = String(decoding: request.payload.prefix { $0 != 0 }, as: UTF8.self)
        guard reply.type == .error, reply.requestID == request.requestID, request.type == type,
            path(argument), reply.payload == Array("\(theirs)\0".utf8)
        else { return reply }
        return Message(
            .error,
            requestID: reply.requestID,
            transactionID: reply.transactionID,
            payload: Array("\(ours)\0".utf8)
        )
    }
}
