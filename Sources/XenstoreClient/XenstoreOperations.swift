public import XenstoreProtocol

/// Everything that can be asked of a store, through a ``Xenstore``, a ``XenstoreHandle`` or a
/// ``XenstoreTransaction``.
///
/// Paths are absolute, or relative to the own domain's home (`/local/domain/N`). Each operation
/// throws ``ClientError``; a cancelled caller is free at once.
public protocol XenstoreOperations: Sendable {
    /// The handle that the operations go through.
    var handle: XenstoreHandle { get }
}

// MARK: Values

extension XenstoreOperations {
    /// The value of a key. The corresponding operation is READ.
    public func read(_ path: some XenstorePathConvertible) async throws(ClientError) -> [UInt8] {
        try await handle.perform(.read(path.checked(for: .read)))
    }

    /// The value of a key as text.
    ///
    /// - Throws: ``ClientError/Reason/notText`` for what is not UTF-8.
    public func readText(
        _ path: some XenstorePathConvertible
    ) async throws(ClientError) -> String {
        guard let text = String(validating: try await read(path), as: UTF8.self) else {
            throw ClientError(.read, path: path.pathText, .notText)
        }
        return text
    }

    /// The value of a key as an integer: decimal digits, with a sign or without.
    ///
    /// - Throws: ``ClientError/Reason/notANumber`` for what is none, or does not fit the type.
    public func readInteger<Number: FixedWidthInteger>(
        _ path: some XenstorePathConvertible,
        as type: Number.Type = Int.self
    ) async throws(ClientError) -> Number {
        let value = try await read(path)
        guard let number = Number(String(decoding: value, as: UTF8.self)) else {
            throw ClientError(.read, path: path.pathText, .notANumber)
        }
        return number
    }

    /// The values of many keys, in the order of the paths, in one round trip.
    public func readMany(
        _ paths: [some XenstorePathConvertible]
    ) async throws(ClientError) -> [Result<[UInt8], ClientError>] {
        var requests: [Request] = []
        requests.reserveCapacity(paths.count)
        for path in paths { requests.append(.read(try path.checked(for: .read))) }
        return await handle.perform(requests)
    }

    /// Sets the value of a key; makes it and its parents where missing. The corresponding
    /// operation is WRITE.
    public func write(
        _ value: some XenstoreValueConvertible,
        to path: some XenstorePathConvertible
    ) async throws(ClientError) {
        let request = Request.write(try path.checked(for: .write), value: value.xenstoreValue)
        _ = try await handle.perform(request)
    }

    /// Sets the values of many keys in one round trip. Where one fails, others may have been set:
    /// in a transaction nothing is.
    ///
    /// - Throws: the first failure.
    public func writeMany(
        _ values: [(path: some XenstorePathConvertible, value: some XenstoreValueConvertible)]
    ) async throws(ClientError) {
        var requests: [Request] = []
        for (path, value) in values {
            requests.append(.write(try path.checked(for: .write), value: value.xenstoreValue))
        }
        for answer in await handle.perform(requests) { _ = try answer.get() }
    }
}

// MARK: Keys

extension XenstoreOperations {
    /// Whether a key exists. The corresponding operation is READ.
    ///
    /// - Throws: ``ClientError`` for everything else that the store answers, such as EACCES.
    public func exists(_ path: some XenstorePathConvertible) async throws(ClientError) -> Bool {
        do throws(ClientError) {
            _ = try await read(path)
            return true
        } catch {
            guard error.code == .noEntry else { throw error }
            return false
        }
    }

    /// The names of a key's children, however many. The corresponding operations are DIRECTORY and,
    /// where one message does not hold them all, DIRECTORY_PART.
    public func directory(
        _ path: some XenstorePathConvertible
    ) async throws(ClientError) -> [String] {
        let path = try path.checked(for: .directory)
        do throws(XenstoreError) {
            return try await HandleAccess(handle).directory(path)
        } catch {
            throw ClientError(Request.directory(path), error)
        }
    }

    /// Makes a key with an empty value, unless it exists. The corresponding operation is MKDIR.
    public func makeDirectory(
        _ path: some XenstorePathConvertible
    ) async throws(ClientError) {
        _ = try await handle.perform(.makeDirectory(path.checked(for: .makeDirectory)))
    }

    /// Removes a key and all below it. One that is missing is no error, if its parent is there.
    /// The corresponding operation is RM.
    public func remove(_ path: some XenstorePathConvertible) async throws(ClientError) {
        _ = try await handle.perform(.remove(path.checked(for: .remove)))
    }

    /// The permissions of a key. The corresponding operation is GET_PERMS.
    public func permissions(
        of path: some XenstorePathConvertible
    ) async throws(ClientError) -> Permissions {
        let request = Request.getPermissions(try path.checked(for: .getPermissions))
        let payload = try await handle.perform(request)
        guard let permissions = Permissions(payload: payload) else {
            throw ClientError(request, .malformedReply)
        }
        return permissions
    }

    /// Replaces the permissions of a key. The corresponding operation is SET_PERMS.
    public func setPermissions(
        _ permissions: Permissions,
        of path: some XenstorePathConvertible
    ) async throws(ClientError) {
        let path = try path.checked(for: .setPermissions)
        _ = try await handle.perform(.setPermissions(path, permissions))
    }
}

/// A handle where a `XenstoreAccess` is wanted.
final class HandleAccess: XenstoreAccess {
    private let handle: XenstoreHandle

    init(_ handle: XenstoreHandle) {
        self.handle = handle
    }

    var payloadLimit: Int { ProtocolLimits.payloadSize }

    func send(
        _ request: Request,
        in transaction: TransactionID
    ) async throws(XenstoreError) -> [UInt8] {
        try await handle.send(request)
    }

    func send(
        _ requests: [Request],
        in transaction: TransactionID
    ) async -> [Result<[UInt8], XenstoreError>] {
        await handle.send(requests)
    }

    func post(_ request: Request, in transaction: TransactionID) {
        let open = handle.transaction?.open
        handle.client.later { core in
            guard open.map({ $0.epoch == core.epoch }) ?? true else { return }
            core.post(request, in: open?.id ?? .none)
        }
    }
}
