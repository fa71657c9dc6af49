import ChangeNotification
import XenstoreProtocol

/// What the store says of a key, as of one moment.
struct KeyStat: WatchedStat {
    var value: [UInt8]
    var hasChildren: Bool
    var permissions: Permissions
    /// The names of the children, each followed by a zero, where they were asked for and fit a
    /// message.
    var names: [UInt8]?
    /// How much had changed when it was asked for.
    var version: ChangeLog.Version
}

/// What is asked about one key: its value always, and with it whether the key exists; the rest
/// where a watch has not kept it.
struct StatQuery {
    let path: XenstorePath
    private let hasChildren: Bool?
    private let permissions: Permissions?
    private let version: ChangeLog.Version

    /// - Parameters:
    ///   - known: the key where a watch keeps true what is known of it.
    ///   - version: of now, as the question is about to be sent.
    ///   - asksNames: whether DIRECTORY is asked in any case, as the second request.
    init(
        _ path: XenstorePath,
        known: KeyNode? = nil,
        at version: ChangeLog.Version,
        asksNames: Bool = false
    ) {
        self.path = path
        self.version = version
        hasChildren = asksNames ? nil : known?.hasChildren
        permissions = known?.permissions
    }

    /// - Parameters:
    ///   - path: of a key that has no children, as far as is known.
    ///   - version: of now, as the question is about to be sent.
    init(childless path: XenstorePath, at version: ChangeLog.Version) {
        self.path = path
        self.version = version
        hasChildren = false
        permissions = nil
    }

    var requests: [Request] {
        var requests: [Request] = [.read(path)]
        if hasChildren == nil { requests.append(.directory(path)) }
        if permissions == nil { requests.append(.getPermissions(path)) }
        return requests
    }

    fileprivate var requestCount: Int {
        1 + (hasChildren == nil ? 1 : 0) + (permissions == nil ? 1 : 0)
    }

    /// Whether it is asked if the key has children.
    var asksForChildren: Bool { hasChildren == nil }

    /// Whether READ is all that is asked.
    var asksValueAlone: Bool { hasChildren != nil && permissions != nil }

    /// Takes the answer to READ, where that is all that is asked.
    func stat(_ value: [UInt8]) -> KeyStat {
        KeyStat(
            value: value,
            hasChildren: hasChildren ?? false,
            permissions: permissions ?? Permissions(owner: .privileged),
            names: nil,
            version: version
        )
    }

    /// Takes the answers to ``requests``.
    func stat(
        _ answers: ArraySlice<Result<[UInt8], XenstoreError>>
    ) throws(XenstoreError) -> KeyStat {
        var answers = answers
        func next() throws(XenstoreError) -> Result<[UInt8], XenstoreError> {
            guard let answer = answers.popFirst() else { throw .malformedReply }
            return answer
        }
        let value = try next().get()
        var stat = KeyStat(
            value: value,
            hasChildren: hasChildren ?? false,
            permissions: permissions ?? Permissions(owner: .privileged),
            version: version
        )
        if hasChildren == nil {
            let answer = try next()
            stat.hasChildren = try KeyStat.hasChildren(answer)
            stat.names = try? answer.get()
        }
        if permissions == nil {
            guard let told = Permissions(payload: try next().get()) else { throw .malformedReply }
            stat.permissions = told
        }
        return stat
    }
}

extension KeyStat {
    /// Takes the answer to DIRECTORY.
    static func hasChildren(
        _ answer: Result<[UInt8], XenstoreError>
    ) throws(XenstoreError) -> Bool {
        switch answer {
        case .success(let names): return !names.isEmpty
        // More names than a message holds.
        case .failure(.refused(.tooBig)): return true
        case .failure(let error): throw error
        }
    }
}

extension KeyStat {
    /// Of a key that has nothing but permissions, as none of the store's answers says.
    init(empty permissions: Permissions) {
        self.init(value: [], hasChildren: false, permissions: permissions, version: .never)
    }
}

extension XenstoreAccess {
    /// Asks about many keys in one round trip.
    func stat(
        _ queries: [StatQuery],
        in transaction: TransactionID = .none
    ) async -> [Result<KeyStat, XenstoreError>] {
        let answers = await send(queries.flatMap(\.requests), in: transaction)
        var start = 0
        return queries.map { query in
            let end = start + query.requestCount
            defer { start = end }
            guard end <= answers.count else { return .failure(.malformedReply) }
            return Result { () throws(XenstoreError) in try query.stat(answers[start..<end]) }
        }
    }
}
